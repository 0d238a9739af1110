"""Where we go to fetch, and where nobody can make us go."""

from __future__ import annotations

import http.client
import socket
from typing import Any

import pytest

from invokeai_saas.catalog.installs.fetching import Fetcher, SourceAway, SourceRefused, is_public
from invokeai_saas.catalog.installs.hub import RemoteFile, choose
from invokeai_saas.catalog.installs.sources import file_name, read_source
from invokeai_saas.errors import InvalidInput
from invokeai_saas.settings import Settings
from tests.catalog.installs import sources
from tests.catalog.installs.sources import Site

HUB = "https://huggingface.co"


def fetcher(**changes: Any) -> Fetcher:
    return Fetcher(Settings.model_validate(changes))


def local() -> Fetcher:
    return fetcher(model_sources_on_this_machine=True, model_hosts="127.0.0.1,localhost")


@pytest.mark.parametrize(
    "url",
    [
        "http://huggingface.co/a/b",
        "https://example.com/a.safetensors",
        "https://huggingface.co.evil.example/a",
        "https://evilhuggingface.co/a",
        "https://huggingface.co:8443/a",
        "https://huggingface.co:0443x/a",
        "https://me:pw@huggingface.co/a",
        "https://huggingface.co@evil.example/a",
        "https://127.0.0.1/a",
        "https://2130706433/a",
        "https://[::1]/a",
        "https://localhost/a",
        "https://huggingface.co\\@evil.example/a",
        "https://huggingface.co/a b",
        "https://huggingface.co/a\r\nHost: x",
        "https:///a",
        "https://",
        "file:///etc/passwd",
        "ftp://huggingface.co/a",
        "https://huggıngface.co/a",
        "https://huggingface.co/" + "a" * 5000,
    ],
)
def test_only_sites_on_the_list_by_https(url: str) -> None:
    with pytest.raises(InvalidInput):
        fetcher().check_source(url)


def test_sites_on_the_list_and_their_subdomains() -> None:
    for url in (
        f"{HUB}/a/b",
        "https://civitai.com/api/download/models/1?type=Model",
        "https://cdn.civitai.com./x",
    ):
        fetcher().check_source(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_a_public_name_of_a_private_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """What a name resolves to is up to whoever owns it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    both = [(socket.AF_INET, 1, 6, "", ("8.8.8.8", 443)), (family, 1, 6, "", (address, 443))]
    connected: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    monkeypatch.setattr(socket.socket, "connect", lambda _, to: connected.append(to))
    with pytest.raises(SourceRefused, match="not a public host"), fetcher().open(f"{HUB}/a"):
        pass
    assert connected == []


def test_a_name_that_is_not_there_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(SourceAway), fetcher().open(f"{HUB}/a"):
        pass


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "file:///etc/passwd",
        "//10.0.0.1/x",
        "",
    ],
)
def test_a_redirect_to_a_private_place_is_not_followed(
    site: Site, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    """The first connection is let through to loopback; what it redirects to is held to the rules."""
    strict = fetcher()
    site.files["/a"] = sources.redirecting(to)
    port = int(site.url.rpartition(":")[2])
    real = socket.create_connection(("127.0.0.1", port))
    opened = [real]

    def connect(self: Fetcher, url: str) -> Any:
        if not opened:
            return original(self, url)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.sock = opened.pop()
        return connection

    original = Fetcher._connect
    monkeypatch.setattr(Fetcher, "_connect", connect)
    with pytest.raises((SourceRefused, SourceAway)), strict.open(f"{HUB}/a"):
        pass
    assert len(site.asked) == 1


def test_redirects_end_and_take_no_token_along(site: Site) -> None:
    site.files["/loop"] = sources.redirecting("/loop")
    with pytest.raises(SourceRefused, match="too often"), local().open(f"{site.url}/loop"):
        pass
    other = site.url.replace("127.0.0.1", "localhost")
    site.files["/a"] = sources.redirecting(f"{other}/b")
    site.files["/b"] = b"data"
    site.asked.clear()
    with local().open(f"{site.url}/a", token="secret") as answer:
        assert answer.body(100) == b"data"
    assert [(path, token) for path, _, token in site.asked] == [("/a", "Bearer secret"), ("/b", None)]


def test_answers_that_are_too_long_or_no_answers(site: Site) -> None:
    site.files["/endless"] = sources.endless()
    with local().open(f"{site.url}/endless") as answer, pytest.raises(SourceRefused, match="too long"):
        answer.body(10_000)
    with pytest.raises(SourceRefused, match="no such file"), local().open(f"{site.url}/none"):
        pass
    with pytest.raises(SourceAway), local().open("http://127.0.0.1:9/none"):
        pass


# ---- sources


def _read(text: str) -> dict[str, Any]:
    return read_source(text, fetcher(), HUB).wire


def test_what_people_name_as_sources() -> None:
    assert _read("owner/name") == {
        "repo_id": "owner/name", "variant": None, "subfolder": None, "access_token": None, "type": "hf",
    }  # fmt: skip
    assert _read("owner/name:fp16")["variant"] == "fp16"
    assert _read("owner/name:fp16:vae")["subfolder"] == "vae"
    assert _read("owner/name::a/b.safetensors")["subfolder"] == "a/b.safetensors"
    assert _read("owner/name::text_encoder+tokenizer")["subfolder"] == "text_encoder+tokenizer"
    assert _read(f"{HUB}/owner/name/")["repo_id"] == "owner/name"
    page = f"{HUB}/owner/name/blob/main/a.safetensors?download=true"
    assert _read(page)["url"] == f"{HUB}/owner/name/resolve/main/a.safetensors"


@pytest.mark.parametrize(
    "text",
    [
        "", "name", "/etc/passwd", "C:\\x.safetensors", "../a/b", "a/../b", "a/b/c", "owner/name:onnx",
        "owner/name::../x", "owner/name::/etc/../x", "external://openai/x", "https://example.com/a", "a\0/b",
        "x" * 5000, "owner/nämе",
    ],
)  # fmt: skip
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(InvalidInput):
        _read(text)


def _files(*paths: str) -> list[RemoteFile]:
    return [RemoteFile(path, f"{HUB}/{path}", 1, None) for path in paths]


def _chosen(paths: list[str], variant: str | None = None, folder: str | None = None) -> list[str]:
    return [file.path for file in choose(_files(*paths), variant, folder)]


PIPELINE = [
    "model_index.json", "README.md", "v1.safetensors", "v1.ckpt", "unet/config.json", "unet/m.safetensors",
    "unet/m.fp16.safetensors", "unet/m.bin", "vae/config.json", "vae/m.safetensors", "tokenizer/merges.txt",
    "evil.py", "unet/../../x.json", "model.json",
]  # fmt: skip


def test_which_files_of_a_repository_make_its_model() -> None:
    plain = [
        "model_index.json", "tokenizer/merges.txt", "unet/config.json", "unet/m.safetensors", "vae/config.json",
        "vae/m.safetensors",
    ]  # fmt: skip
    assert _chosen(PIPELINE) == plain
    half = [path.replace("unet/m.", "unet/m.fp16.") for path in plain]
    assert sorted(_chosen(PIPELINE, "fp16")) == sorted(half)
    assert _chosen(PIPELINE, None, "vae") == ["vae/config.json", "vae/m.safetensors"]
    assert _chosen(PIPELINE, None, "unet/m.safetensors") == ["unet/m.safetensors"]
    assert _chosen(["README.md", "a.safetensors", "a.bin"]) == ["a.safetensors"]


@pytest.mark.parametrize(
    ("paths", "folder", "message"),
    [
        (["a.safetensors", "b.safetensors"], None, "several"),
        (["config.json", "pytorch_model.bin"], None, "pickles"),
        (["README.md"], None, "no safetensors"),
        (["a.bin"], "a.bin", "no safetensors file"),
        (["a.safetensors"], "b.safetensors", "no safetensors file"),
    ],
)
def test_repositories_without_one_safe_model(paths: list[str], folder: str | None, message: str) -> None:
    with pytest.raises(SourceRefused, match=message):
        _chosen(paths, None, folder)


@pytest.mark.parametrize(
    ("url", "disposition", "name"),
    [
        ("https://x/a/b.safetensors?x=1", None, "b.safetensors"),
        ("https://x/models/123", 'attachment; filename="style v1.safetensors"', "style v1.safetensors"),
        ("https://x/1", "attachment; filename*=UTF-8''%C3%BCber.safetensors", "_ber.safetensors"),
        ("https://x/1", 'attachment; filename="../../etc/x.safetensors"', "x.safetensors"),
        ("https://x/1", None, "1.safetensors"),
        ("https://x/", None, "model.safetensors"),
        ("https://x/a.ckpt", None, "a.ckpt"),
    ],
)
def test_names_of_files(url: str, disposition: str | None, name: str) -> None:
    assert file_name(url, disposition) == name
