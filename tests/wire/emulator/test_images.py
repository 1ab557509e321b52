"""The images that the emulated services draw."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
import requests

from g4f_lite.emulator import Emulator

from .clients import ask_chats


def read_png(data: bytes) -> tuple[list[str], str]:
    """Read a grey PNG: its rows, ``#`` for a dark dot, and the text that it describes."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, content = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        position += 12 + length
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 0)
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == height * (width + 1)
    rows = [pixels[start + 1 : start + 1 + width] for start in range(0, len(pixels), width + 1)]
    text = chunks[b"iTXt"].split(b"\0", 5)[5].decode()
    return ["".join("#" if dot < 128 else "." for dot in row) for row in rows], text


def test_the_png_shows_the_prompt(emulator: Emulator) -> None:
    answer = requests.post(emulator.url + "/v1/images/generations", json={"prompt": "h\u00ed T"}).json()
    rows, text = read_png(requests.get(answer["data"][0]["url"]).content)
    assert text == "h\u00ed T"
    inked = [row for row in rows if "#" in row]
    left = min(row.index("#") for row in inked)
    # Every other dot of every other row: the image has twice the font's size.
    assert [row[left::2][:23].rstrip(".") for row in inked[::2]] == [
        "#...#..###........#####",
        "#...#...#...........#",
        "#...#...#...........#",
        "#####...#...........#",
        "#...#...#...........#",
        "#...#...#...........#",
        "#...#..###..........#",
    ]


def test_long_prompts_are_wrapped_and_end(emulator: Emulator) -> None:
    body = {"prompt": "word " * 1000, "response_format": "b64_json"}
    answer = requests.post(emulator.url + "/v1/images/generations", json=body).json()
    rows, _ = read_png(base64.b64decode(answer["data"][0]["b64_json"]))
    assert len(rows) < 500
    assert len(rows[0]) < 600


def test_no_such_image(emulator: Emulator) -> None:
    for number in ("0", "1", "999"):
        assert requests.get(f"{emulator.url}/images/{number}.png").status_code == 404


def test_chats_draws_images(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/image/")
    response = ask_chats(emulator, session, "first", "", "A cat", type_="image")
    (url,) = [image["url"] for image in response.json()["data"]]
    assert url == emulator.url + "/images/1.png"
    image = session.get(url)
    assert image.headers["Content-Type"] == "image/png"
    assert read_png(image.content)[1] == "A cat"
    assert emulator.requests[-1].step == "image"


def test_answers_without_an_image(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/image/")
    emulator.fail("empty", times=2)
    assert ask_chats(emulator, session, "A cat", type_="image").json() == {"data": []}
    answer = session.post(emulator.url + "/v1/images/generations", json={"prompt": "A cat"}).json()
    assert answer["data"] == []


def test_image_urls_use_the_name_by_which_the_client_called(emulator: Emulator) -> None:
    emulator.configure(require_cookies=False)
    port = emulator.url.rpartition(":")[2]
    body = {"type": "image", "messagesHistory": [{"from": "you", "content": "x"}]}
    response = requests.post(f"http://localhost:{port}/chat/send2/", json=body)
    assert response.json()["data"][0]["url"] == f"http://localhost:{port}/images/1.png"


@pytest.mark.parametrize(("fault", "status"), [("error", 500), ("token", 403), ("server_error", 503)])
def test_images_can_fail(emulator: Emulator, fault: str, status: int) -> None:
    body = {"prompt": "x"}
    url = requests.post(emulator.url + "/v1/images/generations", json=body).json()["data"][0]["url"]
    emulator.fail(fault, path="/images/*")
    assert requests.get(url).status_code == status
    emulator.fail("wrong_types", step="image")
    assert requests.get(url).content == b"GIF89a, but not a PNG"


def test_image_requests_are_checked(emulator: Emulator) -> None:
    url = emulator.url + "/v1/images/generations"
    assert requests.post(url, json={"prompt": ""}).status_code == 400
    assert requests.post(url, json={"prompt": "a", "n": 11}).status_code == 400
    assert len(requests.post(url, json={"prompt": "a", "n": 2}).json()["data"]) == 2
