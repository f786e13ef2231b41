"""Who may ask the page's application, by what, and what all its answers carry."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ganctl.errors import ConfigError
from ganctl.page.application import Application
from tests.page.asking import ask

TOKEN = "a-token"


def echo(values: Mapping[str, str]) -> dict[str, Any]:
    return dict(values)


def refuse(values: Mapping[str, str]) -> dict[str, Any]:
    raise ConfigError("seed: must be\nat least 0")


def exhaust(values: Mapping[str, str]) -> dict[str, Any]:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")


def crash(values: Mapping[str, str]) -> dict[str, Any]:
    raise RuntimeError("a mistake of ours")


def picture(values: Mapping[str, str]) -> bytes:
    return b"PNG"


@pytest.fixture
def application() -> Iterator[Application]:
    with ThreadPoolExecutor(1) as executor:
        answers = {"echo": echo, "refuse": refuse, "exhaust": exhaust, "crash": crash, "picture.png": picture}
        yield Application(answers, TOKEN, executor)


def test_who_knows_the_token_is_answered(application: Application) -> None:
    found = ask(application, "/echo", {"token": TOKEN, "seed": "7", "class": "a b&c"})
    assert (found.status, found.json()) == (200, {"seed": "7", "class": "a b&c"})
    found = ask(application, "/picture.png", {"token": TOKEN})
    assert (found.status, found.body, found.headers["content-type"]) == (200, b"PNG", "image/png")
    page = ask(application, "/", {"token": TOKEN})
    assert page.status == 200
    assert page.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("query", ["", "token=", "token=a-tokem", "token=ä", "token=a-token&token=a-token"])
@pytest.mark.parametrize("path", ["/", "/echo", "/picture.png", "/nowhere"])
def test_without_the_token_nothing_is_answered(path: str, query: str, application: Application) -> None:
    found = ask(application, f"{path}?{query}")
    assert found.status == 403
    assert found.json() == {"error": "the address needs the token that `ganctl demo` printed"}


def test_the_parts_of_the_page_need_no_token_and_the_page_names_no_other_place(application: Application) -> None:
    page = ask(application, "/", {"token": TOKEN}).body.decode()
    parts = {"colours.css": "text/css", "style.css": "text/css", "script.js": "text/javascript"}
    for name, kind in parts.items():
        part = ask(application, f"/{name}")
        assert (part.status, part.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        assert f'"{name}"' in page
        page += part.body.decode()
    assert "://" not in page
    assert "innerHTML" not in page


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1]:8000"])
@pytest.mark.parametrize("path", ["/", "/echo", "/style.css"])
def test_by_another_name_of_the_machine_nothing_is_answered(
    path: str, host: str, application: Application
) -> None:
    found = ask(application, path, {"token": TOKEN}, host=host)
    assert (found.status, list(found.json())) == (403, ["error"])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9", "localhost", "localhost:8765"])
def test_a_tunnel_may_have_another_port(host: str, application: Application) -> None:
    assert ask(application, "/echo", {"token": TOKEN}, host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_nothing_is_answered_but_get(method: str, application: Application) -> None:
    assert ask(application, "/echo", {"token": TOKEN}, method=method).status == 405


def test_a_mistake_is_told_in_one_line(application: Application) -> None:
    found = ask(application, "/refuse", {"token": TOKEN})
    assert (found.status, found.json()) == (400, {"error": "seed: must be at least 0"})
    found = ask(application, f"/echo?token={TOKEN}&seed=1&seed=2")
    assert (found.status, found.json()) == (400, {"error": "the address gives a key twice; give each once"})
    found = ask(application, "/echoes", {"token": TOKEN})
    assert found.status == 404
    assert found.json() == {"error": "echoes: not there; there are echo, refuse, exhaust, crash, picture.png"}


def test_memory_that_ran_out_is_told_and_a_mistake_of_ours_is_raised(application: Application) -> None:
    found = ask(application, "/exhaust", {"token": TOKEN})
    assert found.status == 400
    assert found.json()["error"].startswith("out of memory; choose fewer samples")
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        ask(application, "/crash", {"token": TOKEN})


@pytest.mark.parametrize("path", [f"/?token={TOKEN}", f"/echo?token={TOKEN}", "/style.css", "/echo", "/refuse"])
def test_every_answer_forbids_what_the_page_does_not_need(path: str, application: Application) -> None:
    headers = ask(application, path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
