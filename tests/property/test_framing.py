"""Two readers of answers, one rule: what the regular expression takes, httptools reads alike, however it is cut."""

from itertools import pairwise
from zlib import crc32

from hypothesis import example, given
from hypothesis import strategies as st

from mizzle_async.testing.replies import Reply
from mizzle_async.wire.framing import MAX_ANSWER_BYTES, AnswerReader, FramingError, read_usual

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
USUAL = Reply({"Item": {"pk": {"S": "a"}}}).encode("REQUEST00000001", DATE)
FRAMED = [
    USUAL,
    Reply({"Item": {}}, framing="chunked").encode("REQUEST00000002", DATE),
    Reply.error("ValidationException").encode("REQUEST00000003", DATE),
    Reply({}, prefix=b"HTTP/1.1 100 Continue\r\n\r\n").encode("REQUEST00000004", DATE),
    Reply({}, headers={"Connection": "close"}).encode("REQUEST00000005", DATE),
    Reply({}, trailing=b"HTTP/1.1 200 OK\r\n").encode("REQUEST00000006", DATE),
]
FRAGMENTS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\x00",
    b"\xff",
    b":",
    b"0",
    b"9",
    b"-",
    b"+",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 ",
    b"HTTP/2.0 ",
    b"RTSP/1.0 ",
    b"HTTP/1.1 099 Low\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: 02\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: \r\n",
    b"Connection: close\r\n",
    b"Content-Encoding: gzip\r\n",
    b"x-amz-crc32: 1\r\n",
]


@st.composite
def answers(draw):
    """Draw an answer, usual or not, that was changed in a few places, or in none."""
    data = bytearray(draw(st.sampled_from(FRAMED)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=4))
        data[place : place + draw(st.integers(0, 4))] = piece
    return bytes(data)


def usual(data):
    """Read an answer by the regular expression alone."""
    return read_usual(memoryview(data), len(data), MAX_ANSWER_BYTES)


def read(*pieces):
    """Read pieces by httptools alone; return the answer, whether its connection is kept, or the refusal."""
    reader = AnswerReader()
    for piece in pieces:
        try:
            answer = reader.feed(piece)
        except FramingError:
            return "refused"
        if answer is not None:
            return answer, reader.keeps_alive
    return "unfinished"


@given(answers())
@example(USUAL)
def test_what_the_expression_takes_httptools_reads_alike(data):
    """An answer with the usual head is the same answer to both readers, and keeps its connection in both."""
    answer = usual(data)
    if answer is not None:
        assert read(data) == (answer, True)


def test_the_usual_answer_is_taken_by_the_expression():
    """The service's own answers of success take the short way, at every length of their body."""
    for length in (0, 1, 9, 99, 999, 9_999, 99_999):
        body = b"x" * length
        status, headers, read_body = usual(Reply(body).encode("REQUEST00000001", DATE))
        assert (status, read_body) == (200, body)
        assert headers == Reply(body).parts("REQUEST00000001", DATE)[1]
        assert headers["x-amz-crc32"] == str(crc32(body))


@given(st.integers(0, len(USUAL) - 1))
def test_half_an_answer_is_not_taken(count):
    """The expression leaves an answer that is not whole to httptools, and so one with bytes after it."""
    assert usual(USUAL[:count]) is None
    assert read(USUAL[:count]) == "unfinished"
    assert usual(USUAL + b"x") is None
    assert read(USUAL + b"x") == (usual(USUAL), False)


@given(st.sampled_from(FRAMED[:4]), st.data())
def test_cuts_do_not_change_an_answer(data, draws):
    """Whatever pieces an answer comes in, it is the same answer, and its connection is kept."""
    places = sorted(draws.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    cuts = [0, *places, len(data)]
    pieces = [data[start:end] for start, end in pairwise(cuts)]
    answer, kept = read(data)
    assert read(*(piece for piece in pieces if piece)) == (answer, kept) == (answer, True)


@given(answers(), st.data())
def test_changed_answers_raise_nothing_else(data, draws):
    """Whatever was changed, an answer is read, refused or awaited; no other error comes out of the reader."""
    place = draws.draw(st.integers(0, len(data)))
    pieces = [piece for piece in (data[:place], data[place:]) if piece]
    assert read(*pieces) == "refused" or read(*pieces) == "unfinished" or read(*pieces)[0][0] >= 200


@given(answers(), answers())
def test_a_reader_is_whole_again_after_each_answer(first, second):
    """Where an answer keeps its connection, the next one is read as by a new reader."""
    if not isinstance(read(first), tuple) or not read(first)[1]:
        return
    reader = AnswerReader()
    reader.feed(first)
    try:
        answer = reader.feed(second)
    except FramingError:
        answer = "refused"
    expected = read(second)
    assert answer == (expected[0] if isinstance(expected, tuple) else None if expected == "unfinished" else expected)
