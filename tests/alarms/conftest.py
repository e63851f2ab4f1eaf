"""What tests of alarms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alarms.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made
