"""The base of the models of all mappings in a configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping in a configuration: unknown keys are errors, and values do not change once they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)
