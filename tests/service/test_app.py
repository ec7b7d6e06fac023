"""A prompt behind HTTP: rows in, answers out; what is wrong is said as in Python."""

import asyncio
import json
import socket
import urllib.request

import pytest
from starlette.testclient import TestClient

import ptlearn as pt
from ptlearn.errors import DataError, PromptError
from ptlearn.service import make_app, serving
from ptlearn.service.app import MOST_BYTES, MOST_ROWS

ROWS = [{"text": "so nice", "id": 7}, {"text": 12}]


@pytest.fixture(scope="module")
def prompt():
    tuner = pt.PromptTuner(pt.load_lm("tiny"), "{text} [V:2] {answer}")
    tuner.answers = ["good", "poor"]
    return tuner.fold()


@pytest.fixture(scope="module")
def client(prompt):
    return TestClient(make_app(prompt))


def test_answers_are_those_of_the_prompt(client, prompt):
    reply = client.post("/predict", json={"rows": ROWS})
    assert reply.status_code == 200
    found = reply.json()["answers"]
    wanted = prompt.predict([{"text": "so nice"}, {"text": "12"}])
    assert [answer["predicted"] for answer in found] == wanted
    for answer in found:
        assert set(answer["probabilities"]) == {"good", "poor"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_it_says_what_it_is(client):
    about = client.get("/").json()
    assert about["columns"] == ["text"] and about["answers"] == ["good", "poor"]


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        (b"{rows", 400, "this is not JSON"),
        (b"\xff", 400, "this is not JSON"),
        (b"[1]", 422, "a list of objects under rows"),
        (b'{"rows": ["so nice"]}', 422, "a list of objects under rows"),
        (b'{"rows": []}', 422, "there are no rows"),
        (b'{"rows": [{"txt": "x"}]}', 422, "there is no column 'text' in row 0"),
        (b'{"rows": [{"text": " "}]}', 422, "row 0 has nothing in 'text'"),
        (b'{"rows": [{"text": ["x"]}]}', 422, "row 0 has nothing in 'text'"),
        (b'{"rows": [{"text": "%s"}]}' % (b"long " * 600), 422, "reads at most 512"),
        (b" " * (MOST_BYTES + 1), 413, "bytes"),
        (
            json.dumps({"rows": [{"text": "x"}] * (MOST_ROWS + 1)}).encode(),
            413,
            f"at most {MOST_ROWS}",
        ),
    ],
)
def test_a_bad_request_is_refused_with_a_message(client, sent, status, message):
    reply = client.post("/predict", content=sent)
    assert reply.status_code == status and message in reply.json()["error"]


def test_no_more_is_read_of_a_request_that_is_too_large(prompt):
    part, read, sent = b" " * (MOST_BYTES // 2), [], []

    async def receive():
        read.append(len(part))
        return {"type": "http.request", "body": part, "more_body": len(read) < 50}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    asyncio.run(make_app(prompt)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert len(read) == 3, "two parts are allowed, the third is too much"


def test_a_prompt_without_answers_is_refused(prompt):
    with pytest.raises(DataError, match="no answers"):
        make_app(pt.Prompt(prompt.lm, "{text} {answer}"))


def test_it_answers_here_alone_and_ends_with_the_block(prompt):
    with serving(prompt) as url:
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url) as reply:
            assert json.load(reply)["answers"] == ["good", "poor"]
        port = int(url.rpartition(":")[2])
        taken = pytest.raises(PromptError, match=f"cannot have 127.0.0.1:{port}")
        with taken, serving(prompt, port=port):
            pass
    with socket.socket() as free:
        assert free.connect_ex(("127.0.0.1", port)) != 0
