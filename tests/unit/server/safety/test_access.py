"""Who may ask: tokens, TLS, and addresses that others can reach."""

import re
import shutil
import ssl
import subprocess

import pytest

from penstock.server.safety.access import Access, is_loopback, read_tokens

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"]
)
def test_this_machine_needs_nothing(host):
    assert is_loopback(host)
    Access().check_host(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "", "::", "192.168.0.3", "example.org", "localhost.example.org"]
)
def test_an_address_that_others_reach_needs_token_and_tls(host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match=r"needs a token .* and TLS .*--insecure"):
        Access().check_host(host)
    with pytest.raises(ValueError, match=r"needs TLS "):
        Access((TOKEN,)).check_host(host)
    with pytest.raises(ValueError, match=r"needs a token "):
        Access((), "a.crt", "a.key").check_host(host)
    Access((TOKEN,), "a.crt", "a.key").check_host(host)
    Access(insecure=True).check_host(host)


def test_only_who_knows_a_token_is_admitted():
    access = Access((TOKEN, "another-token-of-ours"))
    assert access.admits(f"Bearer {TOKEN}")
    assert access.admits(b"bearer another-token-of-ours")
    for wrong in (
        None,
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}0",
        "Bearer ü",
        b"\xff",
    ):
        assert not access.admits(wrong)
    assert Access().admits(None)


def test_tokens_are_read_from_a_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# first\n{TOKEN}\n\n  another-token-of-ours \n")
    assert read_tokens(str(path)) == (TOKEN, "another-token-of-ours")
    path.write_text("# none\n")
    with pytest.raises(ValueError, match="has no token"):
        read_tokens(str(path))


def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(
        ValueError, match="at least 16 printable ASCII characters. Received one of 6"
    ):
        Access(("secret",))
    with pytest.raises(ValueError, match="printable ASCII"):
        Access(("0123456789abcdef\n",))


def test_a_certificate_comes_with_its_key():
    with pytest.raises(ValueError, match="The key is not given"):
        Access(certificate="a.crt")
    with pytest.raises(ValueError, match="The certificate is not given"):
        Access(key="a.key")


def test_what_is_no_certificate_is_refused(tmp_path):
    for name in ("a.crt", "a.key"):
        (tmp_path / name).write_text("nothing")
    access = Access(certificate=str(tmp_path / "a.crt"), key=str(tmp_path / "a.key"))
    with pytest.raises(ValueError, match=re.escape("are no certificate with its key")):
        access.ssl_context()


def test_a_certificate_makes_a_context(tmp_path):
    certificate, key = make_certificate(tmp_path)
    context = Access(certificate=certificate, key=key).ssl_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert Access().ssl_context() is None
    encrypted = str(tmp_path / "encrypted.key")
    command = ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", encrypted]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ValueError, match="has a password"):
        Access(certificate=certificate, key=encrypted).ssl_context()


def make_certificate(folder) -> tuple[str, str]:
    """Make a certificate of `localhost`, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    certificate, key = str(folder / "server.crt"), str(folder / "server.key")
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
