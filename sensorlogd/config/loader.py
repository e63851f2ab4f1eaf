"""Read, merge and validate a configuration; report every mistake at once.

Steps: read the file -> include others -> expand ``${ENV}`` -> lay sensors over their templates -> validate each section
and each sensor with its driver's model -> check what concerns several sensors. Every step adds to one list of errors.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sensorlogd.config import light, ports, profiles
from sensorlogd.config.models import (
    NAME,
    Config,
    DaemonOptions,
    RetentionOptions,
    Section,
    SensorOptions,
    StorageOptions,
    WebOptions,
)
from sensorlogd.config.text.tree import ConfigError, Mark, Tree, Where, dotted, parse, read
from sensorlogd.config.validation.names import closest
from sensorlogd.durations import format_duration, format_size, parse_duration, parse_size

SECTIONS: dict[str, type[Section]] = {
    "daemon": DaemonOptions,
    "storage": StorageOptions,
    "retention": RetentionOptions,
    "web": WebOptions,
}
TOP_LEVEL = (*SECTIONS, "templates", "profiles", "sensors", "include", "base_dir")
INCLUDABLE = ("templates", "sensors")


class ConfigErrors(Exception):
    """All mistakes of a configuration, in the order of the file."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = sorted(set(errors), key=lambda e: (str(e.mark.file), e.mark.line, e.mark.col, e.path, e.problem))
        super().__init__("\n".join(str(error) for error in self.errors))


class DriverUnavailable(Exception):
    """A third-party driver cannot be loaded: only its sensors are out of service."""


# Gives the options model for a driver's name; the folder is where relative driver files are looked for.
# Raises ValueError (unknown driver, with the nearest name) or DriverUnavailable.
OptionsFor = Callable[[str, Path], type[SensorOptions]]


def load(path: Path | str, options_for: OptionsFor) -> Config:
    """The configuration in ``path``. Raises ConfigErrors with all mistakes, and nothing else."""
    path = Path(path)
    errors: list[ConfigError] = []
    tree = read(path, errors)
    return _finish(tree, path, options_for, errors)


def load_text(text: str, path: Path, options_for: OptionsFor) -> Config:
    """The configuration in ``text``; ``path`` is what errors and relative paths refer to. Raises ConfigErrors."""
    errors: list[ConfigError] = []
    return _finish(parse(text, path, errors), path, options_for, errors)


def _finish(tree: Tree | None, path: Path, options_for: OptionsFor, errors: list[ConfigError]) -> Config:
    if tree is None:
        raise ConfigErrors(errors)
    start = Mark(path)
    if tree.data is None:
        raise ConfigErrors([*errors, ConfigError(start, "", "is empty; write a starter with: sensorlogd init")])
    if not isinstance(tree.data, dict):
        found = "a list" if isinstance(tree.data, list) else f"the text {str(tree.data)[:40]!r}"
        problem = f"holds {found}; a configuration is a mapping with the keys {', '.join(TOP_LEVEL[:-1])}"
        raise ConfigErrors([*errors, ConfigError(tree.place((), start), "", problem)])
    loader = _Loading(tree, path, options_for, errors)
    config = loader.config()
    if errors:
        raise ConfigErrors(errors)
    return config


class _Loading:
    def __init__(self, tree: Tree, path: Path, options_for: OptionsFor, errors: list[ConfigError]) -> None:
        self.tree = tree
        self.path = path
        self.options_for = options_for
        self.errors = errors
        self.start = Mark(path)
        self.sources = [path]
        self.failed: dict[str, str] = {}
        self.base_dir = path.absolute().parent

    def error(self, where: Where, problem: str, *, key: bool = False) -> None:
        self.errors.append(ConfigError(self.tree.place(where, self.start, key=key), dotted(where), problem))

    def config(self) -> Config:
        data = self.tree.data
        for key in data:
            if key not in TOP_LEVEL:
                self.error((key,), f"unknown key{closest(key, TOP_LEVEL)}; known: {', '.join(TOP_LEVEL[:-1])}", key=True)
        named = data.get("base_dir")
        if isinstance(named, str):
            self.base_dir = light.resolve(named, self.base_dir)
        elif named is not None:
            self.error(("base_dir",), "must be a path")
        self._include(data)
        raw_templates, raw_sensors = self._mapping(data, "templates"), self._mapping(data, "sensors")
        self.profiles = dict(self._mapping(data, "profiles"))
        own = self._read_profiles(raw_templates, raw_sensors)
        text = self._snapshot(data, raw_templates, raw_sensors, own)
        self._expand(data, ())
        sections = {key: self._section(key, model, data.get(key)) for key, model in SECTIONS.items()}
        sensors = self._sensors(raw_sensors, raw_templates, sections["daemon"])
        self._unused_templates(raw_templates)
        self._ports_named_twice(sensors)
        self._former_names(sensors)
        return Config(
            path=self.path,
            base_dir=self.base_dir,
            sensors=sensors,
            failed_sensors=self.failed,
            sources=tuple(self.sources),
            text=text,
            **{key: section for key, section in sections.items() if section is not None},  # type: ignore[arg-type]
        )

    # ---- include ---------------------------------------------------------------------------------------------------

    def _include(self, data: dict[str, Any]) -> None:
        entry = data.get("include")
        if entry is None:
            return
        places = entry if isinstance(entry, list) else [entry]
        for index, place in enumerate(places):
            where: Where = ("include", index) if isinstance(entry, list) else ("include",)
            if not isinstance(place, str):
                self.error(where, "must be the path of a file or folder")
                continue
            for file in self._files(where, light.resolve(place, self.base_dir)):
                self._take(data, file)

    def _files(self, where: Where, place: Path) -> list[Path]:
        try:
            if place.is_dir():
                return sorted(file for file in place.iterdir() if file.suffix in (".yaml", ".yml"))
            if place.exists():
                return [place]
            self.error(where, f"{place}: no such file or folder")
        except (OSError, ValueError) as error:
            self.error(where, f"{place}: {error}")
        return []

    def _take(self, data: dict[str, Any], file: Path) -> None:
        tree = read(file, self.errors)
        if tree is None or tree.data is None:
            return
        self.sources.append(file)
        if not isinstance(tree.data, dict):
            self.errors.append(ConfigError(Mark(file), "", "an included file is a mapping with sensors: or templates:"))
            return
        for key, entries in tree.data.items():
            mark = tree.place((key,), Mark(file), key=True)
            if key not in INCLUDABLE:
                problem = f"an included file may hold {' and '.join(INCLUDABLE)} only"
                self.errors.append(ConfigError(mark, key, problem))
                continue
            if entries is None:
                continue
            if not isinstance(entries, dict):
                self.errors.append(ConfigError(mark, key, "must be a mapping of names"))
                continue
            mine = data.get(key)
            if mine is None:
                mine = data[key] = {}
            if not isinstance(mine, dict):
                continue
            for name, entry in entries.items():
                if name in mine:
                    first = self.tree.place((key, name), self.start, key=True)
                    problem = f"is here a second time; the first is at {first.file}:{first.line}"
                    self.errors.append(ConfigError(tree.place((key, name), mark, key=True), f"{key}.{name}", problem))
                    continue
                mine[name] = entry
                self.tree.graft((key, name), tree, (key, name))

    def _mapping(self, data: dict[str, Any], key: str) -> dict[str, Any]:
        entries = data.get(key)
        if entries is None:
            return {}
        if not isinstance(entries, dict):
            self.error((key,), "must be a mapping of names")
            return {}
        return entries

    def _read_profiles(self, templates: dict[str, Any], sensors: dict[str, Any]) -> dict[str, Any]:
        """Load the profiles that are named somewhere; gives those that are the user's own."""
        own = dict(self.profiles)
        known: dict[str, profiles.Profile] | None = None
        for place, entries in (("templates", templates), ("sensors", sensors)):
            for name, entry in entries.items():
                wanted = entry.get("profile") if isinstance(entry, dict) else None
                if wanted is None or (isinstance(wanted, str) and wanted in self.profiles):
                    continue
                if known is None:
                    known = profiles.available(self.base_dir)
                if not isinstance(wanted, str) or wanted not in known:
                    hint = closest(str(wanted), known) or "; 'sensorlogd profiles' lists them"
                    self.error((place, name, "profile"), f"unknown profile {wanted!r}{hint}")
                    continue
                found = known[wanted]
                tree = read(found.path, self.errors)
                sensor = tree.data.get("sensor") if tree is not None and isinstance(tree.data, dict) else None
                if tree is None or not isinstance(sensor, dict):
                    problem = "a profile is a mapping with title:, source: and sensor: (the keys of a sensor)"
                    self.errors.append(ConfigError(Mark(found.path), "", problem))
                    continue
                self.profiles[wanted] = sensor
                self.tree.graft(("profiles", wanted), tree, ("sensor",))
                if found.own:
                    self.sources.append(found.path)
                    own[wanted] = sensor
        return own

    def _snapshot(
        self, data: dict[str, Any], templates: dict[str, Any], sensors: dict[str, Any], own_profiles: dict[str, Any]
    ) -> str:
        """Everything in one text, before ``${ENV}`` is expanded: no secret gets into it."""
        whole = {key: value for key, value in data.items() if key in SECTIONS}
        whole["base_dir"] = str(self.base_dir).replace("$", "$$")
        if templates:
            whole["templates"] = templates
        if own_profiles:
            whole["profiles"] = own_profiles
        if sensors:
            whole["sensors"] = sensors
        if "data_dir" not in (whole.get("daemon") or {}) and (whole.get("daemon") is None or isinstance(whole["daemon"], dict)):
            default = str(light.default_data_dir(self.path)).replace("$", "$$")
            whole["daemon"] = {**(whole.get("daemon") or {}), "data_dir": default}
        return yaml.dump(whole, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)

    # ---- values ----------------------------------------------------------------------------------------------------

    def _expand(self, data: Any, where: Where) -> None:
        """``${NAME}`` in place, everywhere below ``data``. Aliased parts are expanded once."""
        entries: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
        for key, value in list(entries):
            here = (*where, key)
            if isinstance(value, str):
                if "$" in value:
                    try:
                        data[key] = light.expand(value)
                    except KeyError as error:
                        name = error.args[0]
                        self.error(here, f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
            else:
                self._expand(value, here)

    def _section(self, key: str, model: type[Section], data: Any) -> Section | None:
        if data is None:
            return model()
        if not isinstance(data, dict):
            self.error((key,), "must be a mapping")
            return None
        section: Section | None = self._validate(model, data, (key,))
        return section

    def _validate(self, model: type[Any], data: dict[str, Any], where: Where) -> Any:
        try:
            return model.model_validate(data, context={"folder": self.base_dir})
        except ValidationError as invalid:
            for detail in invalid.errors(include_url=False):
                self._report(model, detail, where, data)
            return None

    def _here(self, where: Where, loc: tuple[int | str, ...], *, last: bool) -> Where:
        """The place in the file: a part of ``loc`` that is not there names a branch of a union, but for the last if so told."""
        here = where
        for index, part in enumerate(loc):
            if part == "[key]":
                break
            if (*here, part) in self.tree.values or (last and index == len(loc) - 1):
                here = (*here, part)
        return here

    def _report(self, model: type[BaseModel], detail: ErrorDetails, where: Where, data: object) -> None:
        loc, kind = detail["loc"], detail["type"]
        if kind == "extra_forbidden":
            known = _fields_at(model, loc[:-1])
            here = self._here(where, loc, last=True)
            listing = f"; known: {', '.join(sorted(known))}" if known else ""
            self.error(here, f"unknown key{closest(str(loc[-1]), known)}{listing}", key=True)
            return
        here = self._here(where, loc, last=kind == "missing")
        if kind == "missing":
            self.error(here, "is required here")
            return
        problem = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        problem = problem.removeprefix("Input ")
        found = detail.get("input")
        if isinstance(written := _value_at(data, loc), str):
            problem, found = _bounds_as_written(problem, detail.get("ctx", {}), written), written
        if isinstance(found, str) and repr(found) not in problem and found not in problem:
            problem += f", found {found[:80]!r}"
        self.error(here, problem)

    # ---- sensors ---------------------------------------------------------------------------------------------------

    def _sensors(self, raw: dict[str, Any], templates: dict[str, Any], daemon: Section | None) -> dict[str, SensorOptions]:
        sensors: dict[str, SensorOptions] = {}
        shared = dict(daemon.labels) if isinstance(daemon, DaemonOptions) else {}
        for name, entry in raw.items():
            where: Where = ("sensors", name)
            if not NAME.fullmatch(name):
                self.error(where, "is not a name; use letters, digits, '_' and '-', at most 64, no dots or blanks", key=True)
            if not isinstance(entry, dict):
                self.error(where, "must be a mapping with at least driver:", key=True)
                continue
            merged = self._with_template(entry, templates, where)
            merged = self._with_profile(merged, where) if merged is not None else None
            if merged is None:
                continue
            driver = merged.get("driver")
            if not isinstance(driver, str) or not driver:
                self.error((*where, "driver"), "is required here, e.g. driver: simulated or driver: serial")
                continue
            try:
                model = self.options_for(driver, self.base_dir).variant(merged)
            except DriverUnavailable as unavailable:
                self.failed[name] = str(unavailable)
                continue
            except ValueError as unknown:
                self.error((*where, "driver"), str(unknown))
                continue
            options = self._validate(model, merged, where)
            if options is None:
                continue
            if shared:
                options = options.model_copy(update={"labels": {**shared, **options.labels}})
            if not options.channel_options():
                self.error(where, "has no channels; name at least one under channels:", key=True)
            sensors[name] = options
        return sensors

    def _with_template(self, entry: dict[str, Any], templates: dict[str, Any], where: Where) -> dict[str, Any] | None:
        name = entry.get("template")
        if name is None:
            return entry
        template = templates.get(name) if isinstance(name, str) else None
        if not isinstance(template, dict):
            hint = closest(str(name), templates)
            known = f"; known: {', '.join(templates)}" if templates else "; there is no templates: section"
            self.error((*where, "template"), f"unknown template {name!r}{hint}{known}")
            return None
        if "template" in template:
            self.error(("templates", str(name), "template"), "a template cannot use a template")
            return None
        return self._lay_over(template, entry, where, ("templates", str(name)))

    def _with_profile(self, entry: dict[str, Any], where: Where) -> dict[str, Any] | None:
        """``entry`` over its profile. A channel that the entry sets to null is not logged."""
        name = entry.get("profile")
        if name is None:
            return entry
        profile = self.profiles.get(name) if isinstance(name, str) else None
        if not isinstance(profile, dict):
            return None  # told of when it was read
        merged = self._lay_over(profile, entry, where, ("profiles", name))
        if isinstance(merged.get("channels"), dict) and isinstance(profile.get("channels"), dict):
            merged["channels"] = {
                channel: options
                for channel, options in merged["channels"].items()
                if options is not None or channel not in profile["channels"]
            }
        return merged

    def _lay_over(self, below: dict[str, Any], above: dict[str, Any], where: Where, origin: Where) -> dict[str, Any]:
        """``above`` with what only ``below`` has, mappings merged all the way down; places follow their values."""
        merged = dict(above)
        for key, value in below.items():
            if key not in above:
                merged[key] = value
                self.tree.graft((*where, key), self.tree_part((*origin, key)))
            elif isinstance(value, dict) and isinstance(above[key], dict):
                if key == "signal" or (key == "format" and "type" in above[key]):
                    continue  # one of several forms: replaced as a whole, never mixed
                merged[key] = self._lay_over(value, above[key], (*where, key), (*origin, key))
        return merged

    def tree_part(self, at: Where) -> Tree:
        """The places below ``at`` as a tree of their own."""
        part = Tree()
        part.graft((), self.tree, at)
        return part

    def _unused_templates(self, templates: Mapping[str, Any]) -> None:
        for name, template in templates.items():
            if not isinstance(template, dict):
                self.error(("templates", name), "must be a mapping of sensor keys", key=True)

    def _ports_named_twice(self, sensors: dict[str, SensorOptions]) -> None:
        """One port has one reader, unless all say that they share it; then they agree on how the line is set."""
        first: dict[str, str] = {}
        for name, sensor in sensors.items():
            port = getattr(sensor, "port", None)
            if not isinstance(port, str) or not sensor.enabled or ports.may_repeat(port):
                continue
            other = first.setdefault(ports.identity(port), name)
            if other == name:
                continue
            mark = self.tree.place(("sensors", other, "port"), self.start)
            where = f"{port} is already read by sensor {other!r} at {mark.file}:{mark.line}"
            theirs = sensors[other]
            if not (getattr(sensor, "shared", False) and getattr(theirs, "shared", False)):
                if "://" in port and not (getattr(sensor, "exclusive", True) or getattr(theirs, "exclusive", True)):
                    continue
                cure = "if both are meant to read it, write shared: true in both"
                if "://" in port:
                    cure += ", or exclusive: false in both for a connection each"
                self.error(("sensors", name, "port"), f"{where}; {cure}")
                continue
            if hasattr(sensor, "line") and hasattr(theirs, "line"):
                self._lines_differ(name, sensor, other, theirs, where)

    def _lines_differ(self, name: str, mine: Any, other: str, theirs: Any, where: str) -> None:
        wanted = theirs.line()
        for key, value in mine.line().items():
            if value != wanted[key]:
                problem = f"{where} with {key}: {_as_written(wanted[key])}; a shared port has one setting"
                self.error(("sensors", name, key), f"{problem}, found {_as_written(value)}")

    def _former_names(self, sensors: dict[str, SensorOptions]) -> None:
        taken: dict[str, str] = {}
        for name, sensor in sensors.items():
            if sensor.was is None:
                continue
            if sensor.was in sensors:
                self.error(("sensors", name, "was"), f"{sensor.was!r} is still configured; a former name must be free")
            other = taken.setdefault(sensor.was, name)
            if other != name:
                self.error(("sensors", name, "was"), f"{sensor.was!r} is claimed by sensor {other!r} too")


def _as_written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).strip('"')


def _value_at(data: Any, loc: tuple[int | str, ...]) -> Any:
    """What the file says there; None where ``loc`` names a branch of a union."""
    for part in loc:
        try:
            data = data[part]
        except KeyError:
            continue
        except (IndexError, TypeError):
            return None
    return data


def _bounds_as_written(problem: str, bounds: Mapping[str, Any], written: str) -> str:
    """A limit in the unit of the file: durations and sizes are validated as microseconds and bytes."""
    if written.strip()[-1:].isdigit():
        return problem
    for read_unit, show in ((parse_duration, format_duration), (parse_size, format_size)):
        try:
            read_unit(written)
        except ValueError:
            continue
        for bound in bounds.values():
            if isinstance(bound, int):
                problem = problem.replace(str(bound), show(bound))
        break
    return problem


class _PlainDumper(yaml.SafeDumper):
    """No aliases: the snapshot is for people, too."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _fields_at(model: Any, loc: tuple[int | str, ...]) -> set[str]:
    """The keys that are known at ``loc`` inside ``model``."""
    here: list[Any] = [model]
    for part in loc:
        here = [inner for kind in here for inner in _inside(kind, part)]
    names: set[str] = set()
    for kind in here:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= {field.alias or name for name, field in kind.model_fields.items()}
    return names


def _inside(kind: Any, part: int | str) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _models(field.annotation)
        return [kind] if part == kind.__name__ else []
    return kind.models if isinstance(kind, _Entries) else []


def _models(annotation: Any) -> list[Any]:
    """The models that an annotation may hold: through unions, Annotated, lists and mappings' values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[Any] = []
    for argument in typing.get_args(annotation):
        found += _models(argument)
    if not found:
        return []
    # A mapping or list: its next loc part is a name or number, which stays on the same models.
    origin = typing.get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, (Mapping, list, tuple)):
        return [_Entries(found)]
    return found


class _Entries:
    """Stands for 'any entry of a mapping or list of these models'."""

    def __init__(self, models: list[Any]) -> None:
        self.models = models
