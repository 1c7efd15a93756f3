"""Downloads from servers on this machine: continued, checked, and from another mirror."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from mirror import Mirror

from minimascope.data import download
from minimascope.data.official import RemoteFile
from minimascope.errors import InputError

CONTENT = bytes(range(256)) * 400
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def mirror():
    servers = []

    def start(content=CONTENT, **settings):
        servers.append(Mirror(content, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def remote(*mirrors):
    return RemoteFile("file.tar", "file", tuple(m.url for m in mirrors), len(CONTENT), CHECKSUM)


def test_a_file_arrives_whole_and_nothing_else_stays(tmp_path, mirror):
    target = tmp_path / "raw" / "file.tar"
    download.download(remote(mirror()), target)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_an_interrupted_download_is_continued(tmp_path, mirror):
    target = tmp_path / "file.tar"
    broken, whole = mirror(breaks_after=1000), mirror()
    with pytest.raises(InputError, match=r"file\.tar: no mirror .*run again to continue"):
        download.download(remote(broken), target)
    assert not target.exists()
    download.download(remote(whole), target)
    assert target.read_bytes() == CONTENT
    assert whole.requests == ["bytes=1000-"]


def test_another_mirror_continues_what_the_first_began(tmp_path, mirror):
    first, second = mirror(breaks_after=500), mirror()
    download.download(remote(first, second), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == CONTENT
    assert second.requests == ["bytes=500-"]


def test_a_server_that_cannot_continue_starts_anew(tmp_path, mirror):
    (tmp_path / ".file.tar.part").write_bytes(CONTENT[:300])
    server = mirror(ranges=False)
    download.download(remote(server), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == CONTENT
    assert server.requests == ["bytes=300-"]


def test_a_wrong_file_is_thrown_away_and_the_next_mirror_asked(tmp_path, mirror):
    wrong, right = mirror(content=b"x" * len(CONTENT)), mirror()
    download.download(remote(wrong, right), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == CONTENT
    assert right.requests == [None]


def test_every_mirrors_fault_is_told_in_one_line(tmp_path, mirror):
    wrong = mirror(content=b"x" * len(CONTENT))
    gone = mirror()
    gone.close()
    with pytest.raises(InputError) as caught:
        download.download(remote(wrong, gone), tmp_path / "file.tar")
    message = str(caught.value)
    assert "\n" not in message
    assert f"{wrong.url}: its sha256 is" in message
    assert f"{gone.url}: " in message
    assert "put a copy there yourself" in message
    assert not list(tmp_path.iterdir())


def test_too_long_a_partial_file_is_fetched_anew(tmp_path, mirror):
    (tmp_path / ".file.tar.part").write_bytes(CONTENT + b"more")
    server = mirror()
    download.download(remote(server), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == CONTENT
    assert server.requests == [None]


def test_a_whole_partial_file_is_only_checked(tmp_path, mirror):
    (tmp_path / ".file.tar.part").write_bytes(CONTENT)
    server = mirror()
    download.download(remote(server), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == CONTENT
    assert server.requests == []


def test_a_second_download_waits_for_the_first_and_takes_over_its_file(tmp_path, mirror):
    server = mirror(pause=0.2)
    target = tmp_path / "file.tar"
    with ThreadPoolExecutor() as pool:
        list(pool.map(download.download, [remote(server)] * 3, [target] * 3))
    assert target.read_bytes() == CONTENT
    assert server.requests == [None]
    assert list(tmp_path.iterdir()) == [target]


def test_a_second_download_tries_itself_what_the_first_did_not_get(tmp_path, mirror, monkeypatch):
    partial, server = tmp_path / ".file.tar.part", mirror()
    waits = iter([partial.unlink])
    monkeypatch.setattr(download, "lock_descriptor", lambda _: next(waits, lambda: None)())
    download.download(remote(server), tmp_path / "file.tar")
    assert (tmp_path / "file.tar").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "file.tar"]


def test_a_download_that_has_waited_leaves_a_third_ones_part_alone(tmp_path, mirror, monkeypatch):
    partial, target = tmp_path / ".file.tar.part", tmp_path / "file.tar"

    def meanwhile(_):
        partial.write_bytes(CONTENT)
        partial.replace(target)
        partial.write_bytes(b"part")

    monkeypatch.setattr(download, "lock_descriptor", meanwhile)
    download.download(remote(mirror()), target)
    assert target.read_bytes() == CONTENT
    assert partial.read_bytes() == b"part"
