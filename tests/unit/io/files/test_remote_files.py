import contextlib
import http.server
import io
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.io import read_csv, read_parquet, read_tfrecords
from penstock.io.files.filesystem import open_binary

pytest.importorskip("aiohttp")


class _Cut(http.server.BaseHTTPRequestHandler):
    """Serves files, and breaks off where it is told to."""

    files: dict[str, bytes] = {}
    cut_at: int | None = None
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(b"")

    def do_GET(self):
        self._answer(self.files[self.path])

    def _answer(self, content):
        content = content[: self.cut_at]
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.files[self.path])))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(content, cut_at=None):
            handler = type("Handler", (_Cut,), {"files": {"/f": content}, "cut_at": cut_at})
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/f"

        yield start


def csv_content():
    return b"a,b\n" + b"".join(b"%d,x%d\n" % (i, i) for i in range(5000))


def parquet_content():
    content = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(5000))}), content)
    return content.getvalue()


READERS = [
    (csv_content, read_csv, 5000),
    (parquet_content, read_parquet, 5000),
]


@pytest.mark.parametrize(("make", "read", "count"), READERS)
def test_files_behind_urls_are_read(serve, make, read, count):
    assert sum(batch.num_rows for batch in read([serve(make())])) == count


@pytest.mark.parametrize(("make", "read", "count"), READERS)
def test_a_failing_connection_is_no_broken_row(serve, make, read, count):
    content = make()
    url = serve(content, cut_at=len(content) // 2)
    told = []
    with pytest.raises(OSError, match=r"reading failed after byte \d+: ClientPayload") as caught:
        list(read([url], on_broken=told.append))
    assert caught.value.filename == url
    assert told == []


def test_a_failing_connection_is_no_corrupt_record(serve):
    with pytest.raises(OSError, match="reading failed"):
        list(read_tfrecords(serve(bytes(1000), cut_at=10), on_broken=lambda row: None))


def test_lines_and_places_of_a_file_behind_a_url(serve):
    with open_binary(serve(b"one\ntwo\nthree")) as file:
        assert list(file) == [b"one\n", b"two\n", b"three"]
        assert file.seek(4) == 4
        assert (file.read(3), file.tell(), file.read()) == (b"two", 7, b"\nthree")
