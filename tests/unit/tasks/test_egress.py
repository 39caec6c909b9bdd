"""No spelling, no name and no redirect leads a call to a private address."""

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from jobs.errors import Rejected, TaskError, Transient
from tasks import egress, http
from tests.unit.tasks.peers import Handle, Internet, Trap, certified, read_request

# Hosts as someone may write them in a URL; the system's resolver reads them, with no DNS.
SPELLINGS = [
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0x7f000001", "0x7f.1", "0x7F.0x0.0x0.0x1", "2130706433"),
    *("017700000001", "0177.0.0.1", "0177.1", "0", "0.0.0.0", "0x0", "localhost", "LOCALHOST", "①②⑦.0.0.1", "127.0.0.1"),
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1.254", "3232235777"),
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.170.2", "100.64.0.1"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
]
ADDRESSES = [
    *("::", "::1", "0:0:0:0:0:0:0:1", "::127.0.0.1", "::a9fe:a9fe", "::ffff:127.0.0.1", "::ffff:7f00:1"),
    *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1", "2001:0:7f00:1::"),
    *("2001:2::1", "2001:10::1", "2001:db8::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "fc00::1", "fd00:ec2::254"),
    *("fdff::1", "ff02::1", "ff0e::1", "100::1", "3fff::1", "5f00::1", "4000::1", "::ffff:224.0.0.1", "::ffff:0.0.0.0"),
]
PUBLIC = ["93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "192.0.1.1"]


def test_the_tables_are_long_enough() -> None:
    assert len(SPELLINGS) + len(ADDRESSES) >= 60


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_private_host_passes(host: str, trap: Trap) -> None:
    with pytest.raises(Rejected) as caught:
        egress.guard(host, egress.look_up(host, 80, 5))
    assert caught.value.code == "private_target"
    with pytest.raises(Rejected):
        http.send("GET", f"http://{host}:{trap.port}/")
    assert trap.connections() == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_private_ipv6_address_passes(address: str, trap: Trap) -> None:
    assert not egress.is_public(address)
    with pytest.raises(Rejected, match="TREADLE_ALLOW_PRIVATE_TARGETS=1") as caught:
        http.send("GET", f"http://[{address}]:{trap.port}/")
    assert caught.value.code == "private_target"
    assert trap.connections() == 0


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert egress.is_public(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_maps(address: object) -> None:
    assert egress.is_public(f"::ffff:{address}") == egress.is_public(str(address))


def test_the_setting_lifts_the_rule(configure: Callable[..., None], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("in")
    with pytest.raises(Rejected):
        http.send("GET", httpserver.url_for("/"))
    configure(allow_private_targets=1)
    assert http.send("GET", httpserver.url_for("/")).body == b"in"


def test_one_private_address_among_public_ones_refuses_the_name(internet: Internet) -> None:
    internet.names = {"mixed.test": [["93.184.216.34", "10.0.0.1"]]}
    with pytest.raises(Rejected, match=r"mixed\.test") as caught:
        http.send("GET", "http://mixed.test/")
    assert "10.0.0.1" not in str(caught.value)
    assert internet.dialled == []


def test_a_name_that_rebinds_is_checked_at_each_connect(internet: Internet, httpserver: HTTPServer, trap: Trap) -> None:
    httpserver.expect_request("/").respond_with_data("fine")
    internet.names = {"rebind.test": [["93.184.216.34"], ["127.0.0.1"]]}
    internet.ports = {"93.184.216.34": httpserver.port, "127.0.0.1": trap.port}
    assert http.send("GET", "http://rebind.test/").status == 200
    http.close()
    with pytest.raises(Rejected) as caught:
        http.send("GET", "http://rebind.test/")
    assert caught.value.code == "private_target"
    # One query a connect, and the address of that answer is what is dialled: there is no second one to be lied to.
    assert internet.asked == ["rebind.test", "rebind.test"]
    assert internet.dialled == [("93.184.216.34", 80)]
    assert trap.connections() == 0


@pytest.mark.parametrize("way", ["http://127.0.0.1:{port}/", "http://inside.test:{port}/", "//[::ffff:7f00:1]:{port}/"])
def test_a_redirect_to_loopback_connects_to_nothing(
    way: str, internet: Internet, httpserver: HTTPServer, trap: Trap
) -> None:
    location = way.format(port=trap.port)
    httpserver.expect_request("/").respond_with_data("", status=307, headers={"Location": location})
    internet.names = {"public.test": [["93.184.216.34"]], "inside.test": [["127.0.0.1"]]}
    internet.ports = {"93.184.216.34": httpserver.port, "127.0.0.1": trap.port, "::ffff:7f00:1": trap.port}
    with pytest.raises(Rejected) as caught:
        http.send("POST", "http://public.test/", content=b"x", redirects=5)
    assert caught.value.code == "private_target"
    assert trap.connections() == 0


def test_sni_and_host_keep_the_name(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    class Stream(httpcore2.MockStream):
        def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None):  # type: ignore[no-untyped-def]
            seen["sni"], seen["verified"] = server_hostname, ssl_context.check_hostname
            return self

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            seen["sent"] = seen.get("sent", b"") + buffer  # type: ignore[operator]

    internet.names = {"secure.test": [["93.184.216.34"]]}
    monkeypatch.setattr(internet, "connect_tcp", lambda *_, **__: Stream([b"HTTP/1.1 204 No Content\r\n\r\n"]))
    assert http.send("GET", "https://secure.test/").status == 204
    assert seen["sni"] == "secure.test"
    assert seen["verified"] is True
    assert b"host: secure.test\r\n" in bytes(seen["sent"]).lower()  # type: ignore[arg-type]


def test_tls_is_verified_for_the_name_at_the_checked_address(
    internet: Internet, serve: Callable[[Handle], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = certified(tmp_path, "secure.test")
    asked: list[object] = []
    tls.sni_callback = lambda _, name, __: asked.append(name)

    def handle(connection: socket.socket) -> None:
        with tls.wrap_socket(connection, server_side=True) as secured:
            read_request(secured)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsafe")

    internet.names = {"secure.test": [["93.184.216.34"]], "other.test": [["93.184.216.34"]]}
    internet.ports = {"93.184.216.34": serve(handle)}
    with pytest.raises(Transient, match="certificate verify failed"):
        http.send("GET", "https://secure.test/")
    http.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert http.send("GET", "https://secure.test/").body == b"safe"
    with pytest.raises(Transient, match=r"(?i)hostname mismatch"):
        http.send("GET", "https://other.test/")
    assert asked == ["secure.test", "secure.test", "other.test"]


def test_each_address_is_tried_in_turn(internet: Internet, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("second")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    internet.names = {"two.test": [["93.184.216.34", "93.184.216.35"]]}
    internet.ports = {"93.184.216.34": nobody, "93.184.216.35": httpserver.port}
    assert http.send("GET", "http://two.test/").body == b"second"


def test_a_refused_connect_is_tried_once_more_then_transient(internet: Internet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        internet.ports = {"93.184.216.34": closed.getsockname()[1]}
    with pytest.raises(Transient) as caught:
        http.send("GET", "http://93.184.216.34/")
    assert caught.value.code == "connect"
    assert len(internet.dialled) == 2


def test_a_name_without_address_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    with pytest.raises(Transient, match="Name or service not known") as caught:
        http.send("GET", "http://nowhere.test/")
    assert caught.value.code == "dns"


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        release.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with pytest.raises(Transient, match="not resolved within"):
            http.send("GET", "http://slow.test/", timeout=timedelta(milliseconds=100))
    finally:
        release.set()


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test"])
def test_what_is_no_host_name_is_rejected(host: str) -> None:
    with pytest.raises(Rejected):
        http.send("GET", f"http://{host}/")
    with pytest.raises(Rejected) as caught:
        egress.look_up(host, 80, 5)
    assert caught.value.code == "bad_host"


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None], httpserver: HTTPServer, trap: Trap
) -> None:
    configure(allow_private_targets=1)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    httpserver.expect_request("/").respond_with_data("direct")
    assert http.send("GET", httpserver.url_for("/")).body == b"direct"
    assert trap.connections() == 0


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "unix:///run/x", "//example.com/"),
        *("http://", "http:///path", "https://:443/", "http://user@example.com/", "http://user:pass@example.com/"),
        *("http://@example.com:pass@127.0.0.1/", "http://exa mple.com/", "http://example.com/\r\nHost: x", "http://a\tb/"),
        *("http://[::1", "http://example.com:99999/", "http://example.com:port/", "javascript:alert(1)", "http://a\0b/"),
    ],
)
def test_urls_that_cannot_be_called(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        egress.check_url(url)
    assert "pass@" not in str(caught.value)
    with pytest.raises(Rejected):
        http.send("GET", url)


@given(
    st.one_of(st.text(max_size=60).map("http://".__add__), st.from_regex(r"\Ahttps?://[^/]{1,30}(:\d{1,6})?(/.{0,20})?\Z"))
)
def test_any_url_fails_in_our_words_or_meets_the_guard(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(egress, "look_up", lambda *_: ["127.0.0.1"])
        with pytest.raises(TaskError):
            http.send("GET", url)
