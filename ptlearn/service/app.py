"""The service itself: what it answers to which request.

``GET /`` says what the prompt is and which columns it reads. ``POST /predict`` takes
rows as JSON, ``{"rows": [{"text": "..."}]}``, and gives an answer for each, with the
probability of every candidate. Rows that cannot be answered are refused with status 422
and the message that Python would give.
"""

import json
import threading
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ..errors import DataError, PtlearnError
from ..evaluation.probabilities import answer_probabilities
from ..prompts.prompt import Prompt
from ..tasks.rows import columns_of, require_columns, text_of

MOST_ROWS = 256
"""Rows of one request: more would keep all others waiting."""
MOST_BYTES = 2_000_000
BAD_JSON, TOO_LARGE, BAD_ROWS = 400, 413, 422
EXAMPLE = '{"rows": [{"text": "..."}]}'


def make_app(prompt: Prompt) -> Starlette:
    """Return the service of one prompt as an ASGI application.

    Parameters
    ----------
    prompt : Prompt
        With answers to choose from.

    Raises
    ------
    DataError
        If it has none.
    """
    if not prompt.answers:
        raise DataError("the prompt has no answers to choose from: save it with some.")
    answering = threading.Lock()  # one batch at a time: two would only share the cores

    def answer(rows: list[dict[str, str]]) -> list[dict]:
        with answering:
            return answers_of(prompt, rows)

    async def about(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "template": prompt.template.text,
                "columns": list(prompt.template.fields),
                "answers": prompt.answers,
                "language model": prompt.lm.name,
            }
        )

    async def predict(request: Request) -> JSONResponse:
        body = await _read(request)
        if body is None:
            return _refusal(TOO_LARGE, f"a request may have {MOST_BYTES:,} bytes.")
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError) as error:
            return _refusal(BAD_JSON, f"this is not JSON: {error}. Send {EXAMPLE}")
        try:
            rows = rows_of(sent, prompt.template.fields)
            if len(rows) > MOST_ROWS:
                return _refusal(
                    TOO_LARGE, f"{len(rows)} rows: send at most {MOST_ROWS} at once."
                )
            found = await run_in_threadpool(answer, rows)
        except PtlearnError as error:
            return _refusal(BAD_ROWS, str(error))
        return JSONResponse({"answers": found})

    routes = [Route("/", about), Route("/predict", predict, methods=["POST"])]
    return Starlette(routes=routes)


def rows_of(sent, fields: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a request, with the columns that the prompt reads, as text.

    Raises
    ------
    DataError
        If there are none, a row is no object, or a column is missing or empty.
    """
    rows = sent.get("rows") if isinstance(sent, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(r, Mapping) for r in rows):
        raise DataError(f"a request needs a list of objects under rows: {EXAMPLE}")
    if not rows:
        raise DataError("there are no rows in the request.")
    for number, row in enumerate(rows):
        require_columns(fields, columns_of([row]), f"row {number}")
        for field in fields:
            if not (text_of(row[field]) or "").strip():
                raise DataError(f"row {number} has nothing in {field!r}.")
    return [{field: text_of(row[field]) for field in fields} for row in rows]


def answers_of(prompt: Prompt, rows: list[dict[str, str]]) -> list[dict]:
    """Return for each row the best answer, and the probability of every one."""
    table = answer_probabilities(prompt, rows)
    shown = table.round(6).to_dict("records")
    return [
        {"predicted": best, "probabilities": row}
        for best, row in zip(table.idxmax(axis=1), shown, strict=True)
    ]


async def _read(request: Request) -> bytes | None:
    """Return the body of a request; None, and no more of it read, if it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)
