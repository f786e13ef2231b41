"""Plain data to a typed object, and what is wrong with it in the user's words."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ganctl.command_line.jobs import Typed
from ganctl.errors import ConfigError, UnknownNameError, nearest
from ganctl.migrations import MOVED

S = TypeVar("S", bound=BaseModel)


def validate(schema: type[S], values: Mapping[str, Any]) -> S:
    """Return plain data as an object of the schema.

    Raises `ConfigError` that names the first wrong key, and how many more are wrong.
    """
    _check_storable(values)
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    if (corrected := _as_typed(values, problems)) is not None:
        return validate(schema, corrected)
    raise _refusal(schema, values, problems)


def validate_texts(schema: type[S], texts: Mapping[str, str]) -> S:
    """Return values that all came as text, such as those of an address, as an object of the schema.

    Raises `ConfigError` as `validate` does.
    """
    _check_storable(texts)
    try:
        return schema.model_validate_strings(texts)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    raise _refusal(schema, texts, problems)


def _refusal(schema: type[BaseModel], values: Mapping[str, Any], problems: list[Any]) -> ConfigError:
    """Return the error that names the first of pydantic's findings."""
    lines = [_explain(schema, values, problem["loc"], problem) for problem in problems]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    first = problems[0]
    if first["type"] == "union_tag_invalid":
        key = ".".join(map(str, _typed_path(values, first["loc"])))
        return UnknownNameError(lines[0] + more, key, str(first["ctx"]["tag"]))
    return ConfigError(lines[0] + more)


def _as_typed(values: Mapping[str, Any], problems: list[Any]) -> Mapping[str, Any] | None:
    """Return values with the typed text where the schema wants text and found something else; None if nowhere."""
    typed = dict(getattr(values, "typed", {}))
    corrected = copy.deepcopy(dict(values))
    changed = False
    for problem in problems:
        place = _typed_path(values, problem["loc"])
        text = typed.pop(".".join(map(str, place)), None)
        number = isinstance(problem["input"], int | float)  # truth values, too; not what ${…} resolved to
        if problem["type"] == "string_type" and number and text is not None and "${" not in text:
            inner: Any = corrected
            for part in place[:-1]:
                inner = inner[part]
            inner[place[-1]] = text
            changed = True
    return Typed(corrected, typed) if changed else None


def _check_storable(value: Any, key: str = "") -> None:
    """Raise `ConfigError` for numbers that tensors, and texts that files, cannot hold."""
    if isinstance(value, Mapping | list):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, inner in pairs:
            _check_storable(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"{key}: must lie within 64 bits, below 9223372036854775808")
    elif isinstance(value, str) and ("\0" in value or value.encode(errors="ignore").decode() != value):
        raise ConfigError(f"{key}: must be text in Unicode without null characters, not {value!r}")


def _explain(
    schema: type[BaseModel], values: Mapping[str, Any], place: tuple[int | str, ...], problem: Any
) -> str:
    """Return one of pydantic's findings in the user's words: the key as typed, what is wrong, what is right."""
    key = ".".join(map(str, _typed_path(values, place)))
    kind, context, got = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "extra_forbidden":
        if key in MOVED:
            return f"{key}: unknown key; here it is {MOVED[key]}"
        return f"{key}: unknown key{nearest(str(place[-1]), _sibling_keys(schema, place))}"
    if kind == "missing":
        return f"{key}: has too few values" if isinstance(place[-1], int) else f"{key}: required, but not given"
    if kind == "union_tag_invalid":
        names = context["expected_tags"].replace("'", "").split(", ")
        tag = str(context["tag"])
        return f"{key}: unknown name '{tag}'{nearest(tag, names)}; there are {', '.join(names)}"
    if kind == "union_tag_not_found":
        return f"{key}: needs a name, such as one of the files in configs/{place[0]}/"
    words = {
        "greater_than_equal": "must be at least {ge}",
        "greater_than": "must be above {gt}",
        "less_than_equal": "must be at most {le}",
        "less_than": "must be below {lt}",
        "literal_error": "must be {expected}",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "int_parsing": "must be a whole number",
        "int_parsing_size": "must lie within 64 bits",
        "float_type": "must be a number",
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "list_type": "must be a list such as [a,b]",
        "tuple_type": "must be a list such as [a,b]",
        "dict_type": "must hold keys and values",
        "model_type": "must hold keys and values",
        "model_attributes_type": "must hold keys and values",
        "too_long": "must have at most {max_length} values",
        "too_short": "must have at least {min_length} values",
        "value_error": "{error}",
    }
    wanted = words[kind].format(**context) if kind in words else problem["msg"].lower()
    return f"{key}: {wanted}, not {got!r}"


def _typed_path(values: Any, place: Iterable[int | str]) -> list[int | str]:
    """Return a finding's place without the names by which pydantic tells a union's members apart."""
    typed: list[int | str] = []
    steps = list(place)
    for number, part in enumerate(steps):
        inside = isinstance(values, Mapping) and part in values
        inside = inside or (isinstance(values, list) and isinstance(part, int) and part < len(values))
        if inside:
            values = values[part]
        elif number < len(steps) - 1 or isinstance(values, Mapping) is False:
            continue
        typed.append(part)
    return typed


def _sibling_keys(schema: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the schema knows where an unknown one was found."""
    found: Any = schema
    for part in place[:-1]:
        field = getattr(found, "model_fields", {}).get(part)
        found = field.annotation if field else found
        for member in _leaves(found):
            name = getattr(member, "model_fields", {}).get("name")
            if name is not None and part in get_args(name.annotation):
                found = member
    return [field.alias or name for name, field in getattr(found, "model_fields", {}).items()]


def _leaves(annotation: Any) -> list[Any]:
    """Return what an annotation is made of: the classes of a union, also where a dict holds it."""
    return [leaf for part in get_args(annotation) for leaf in _leaves(part)] or [annotation]
