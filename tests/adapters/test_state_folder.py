"""The folder of the store: who may open it, what becomes of a file that can't be used, and disks that fail."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from adapters.stores import MEANING, ORDERS, SLOW, fill, read_all, record, slow_down

from connector.adapters.database import NAME, DamagedError
from connector.adapters.state_folder import KEPT_ASIDE, Fate, open_database
from connector.adapters.store import Store, open_store
from connector.adapters.store_tables import LAYOUT
from connector.core.events import Entity
from connector.core.stored import StoredRow, Touched
from connector.errors import ConfigurationError, PlatformError, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILIES = 40
TURNS = Path(__file__).with_name("store_turns.py")


def asides(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("aside-*"))


@contextmanager
def turns(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that commits one turn after another, and prints each that is committed."""
    command = [sys.executable, str(TURNS), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_a_check_that_is_interrupted_leaves_the_store_as_it_is(tmp_path: Path) -> None:
    """It ends at once, and nothing is known of the file by that: the next start finds it intact."""
    layout = LAYOUT._replace(statements=(*LAYOUT.statements, SLOW))
    open_database(tmp_path, layout, MEANING).database.close()
    slow_down(tmp_path / NAME, 3000)
    turns = iter(range(3))
    began = monotonic()
    with pytest.raises(Stopped):
        open_database(tmp_path, layout, MEANING, lambda: next(turns, None) is None)
    assert monotonic() - began < 30
    slow_down(tmp_path / NAME, 0)
    opened = open_database(tmp_path, layout, MEANING)
    opened.database.close()
    assert (opened.fate, asides(tmp_path)) == (Fate.INTACT, [])


def test_what_a_check_found_does_not_count_once_a_stop_was_asked_for(tmp_path: Path) -> None:
    """An interrupted check may take what it did not read for damage."""
    with closing(sqlite3.connect(tmp_path / NAME)) as other:
        other.execute("CREATE TABLE another (program)")
    with pytest.raises(Stopped):
        open_store(tmp_path, MEANING, lambda: True)
    assert asides(tmp_path) == []
    opened = open_store(tmp_path, MEANING)
    opened.store.close()
    assert (opened.fate, len(asides(tmp_path))) == (Fate.CORRUPT, 1)


def test_a_store_lasts(tmp_path: Path) -> None:
    """What was committed is there again, under the same id; nothing is set aside."""
    store, fate, moved_to, _ = open_store(tmp_path, MEANING)
    assert (fate, moved_to) == (Fate.NEW, None)
    fill(store, FAMILIES)
    held = read_all(store, FAMILIES)
    store.close()
    again = open_store(tmp_path, MEANING)
    assert again.fate is Fate.INTACT
    assert again.store.id == store.id
    assert read_all(again.store, FAMILIES) == held
    again.store.close()
    assert asides(tmp_path) == []


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_only_the_owner_reads_it(tmp_path: Path, umask: int) -> None:
    """All files are their owner's alone, whatever the umask; one that was open to others is closed to them."""
    before = os.umask(umask)
    try:
        store = open_store(tmp_path, MEANING).store
        fill(store, 1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        store.close()
        (tmp_path / NAME).chmod(0o666)
        open_store(tmp_path, MEANING).store.close()
    finally:
        os.umask(before)
    assert modes == {NAME: 0o600, f"{NAME}-wal": 0o600, "lock": 0o600 & ~umask}
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [NAME, "lock"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path, name: str, there: bool) -> None:
    """Whoever may write to the folder would have another file opened, closed to others, or made."""
    folder, other = tmp_path / "state", tmp_path / "other"
    folder.mkdir()
    if there:
        other.write_text("another's")
        other.chmod(0o644)
    (folder / name).symlink_to(other)
    with pytest.raises(ConfigurationError, match=r"STATE_DIR: .*symbolic link"):
        open_store(folder, MEANING)
    assert other.exists() is there
    if there:
        assert (other.read_text(), other.stat().st_mode & 0o777) == ("another's", 0o644)


def test_a_link_to_the_folder_is_followed(tmp_path: Path) -> None:
    """A volume may be mounted anywhere."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "volume")
    open_store(tmp_path / "state", MEANING).store.close()
    assert (tmp_path / "volume" / NAME).exists()


def test_what_was_set_aside_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds the shop's data still: the file and its log, whatever became of their modes."""
    with turns(tmp_path) as process:
        line(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = os.umask(0)
    try:
        (tmp_path / NAME).chmod(0o666)
        open_store(tmp_path, f"{MEANING}, other").store.close()
        (tmp_path / NAME).chmod(0o666)
        (tmp_path / "damaged").touch()
        open_store(tmp_path, f"{MEANING}, other").store.close()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name.startswith("aside")}
    assert len([name for name in modes if name.endswith(".sqlite3")]) == 2
    assert set(modes.values()) == {0o600}


def test_what_another_mapping_made_is_set_aside(tmp_path: Path) -> None:
    """The caller hears where it is; it is kept whole; the new one has another id; the oldest are deleted in the end."""
    first = open_store(tmp_path, MEANING).store
    fill(first, 1)
    first.close()
    moved = []
    for number in range(KEPT_ASIDE + 1):
        store, fate, moved_to, why = open_store(tmp_path, f"{MEANING}{number}")
        assert (fate, store.id == first.id, store.progress()) == (Fate.OTHER_MAPPING, False, {})
        assert "mapping" in why
        assert moved_to is not None
        moved.append(moved_to)
        if number == 0:
            with sqlite3.connect(moved_to) as kept:
                assert kept.execute("SELECT count(*) FROM rows").fetchone() == (4,)
            kept.close()
        store.close()
    assert asides(tmp_path) == [path.name for path in moved[-KEPT_ASIDE:]]


@pytest.mark.parametrize("version", [LAYOUT.version - 1, LAYOUT.version + 1])
def test_another_format_is_set_aside(tmp_path: Path, version: int) -> None:
    """An older release's file and a newer one's are not read."""
    open_database(tmp_path, LAYOUT._replace(version=version), MEANING).database.close()
    store, fate, moved_to, why = open_store(tmp_path, MEANING)
    store.close()
    assert fate is Fate.OTHER_VERSION
    assert moved_to is not None
    assert str(version) in why


def test_tables_that_are_not_those_of_the_format_are_set_aside(tmp_path: Path) -> None:
    """A file with the right number and other tables would fail at some later time."""
    statements = (*LAYOUT.statements[:-1], LAYOUT.statements[-1].replace("position", "positiom"))
    open_database(tmp_path, LAYOUT._replace(statements=statements), MEANING).database.close()
    store, fate, *_ = open_store(tmp_path, MEANING)
    store.close()
    assert fate is Fate.CORRUPT


def test_values_of_the_wrong_type_are_found_at_the_start(tmp_path: Path) -> None:
    """The file is checked as a whole: what nothing has asked for yet is wrong, too."""
    database = open_database(tmp_path, LAYOUT, MEANING).database
    database.run("PRAGMA ignore_check_constraints = ON")
    database.run("INSERT INTO rows VALUES (1, 'A', '1', 'a text', NULL)")
    database.commit()
    database.close()
    store, fate, *_ = open_store(tmp_path, MEANING)
    store.close()
    assert fate is Fate.CORRUPT


@pytest.mark.parametrize("left", ["nothing", "an empty file", "an empty file and a log", "a log"])
def test_a_making_that_was_interrupted_begins_again(tmp_path: Path, left: str) -> None:
    """What a kill leaves of the making or the setting aside of a file is no reason to complain, nor is it read."""
    source = tmp_path / "other"
    source.mkdir()
    other = open_store(source, MEANING).store
    fill(other, 1)
    folder = tmp_path / "state"
    folder.mkdir()
    if "file" in left:
        (folder / NAME).touch()
    if "log" in left:
        shutil.copy(source / f"{NAME}-wal", folder)
    store, fate, *_ = open_store(folder, MEANING)
    assert (fate, store.progress(), store.dirty(Entity.ORDERS)) == (Fate.NEW, {}, 0)
    store.close()
    other.close()


def test_one_process_uses_a_folder(tmp_path: Path) -> None:
    """A second one is refused while the first lives, and not when it was killed; the last commit is there."""
    with turns(tmp_path) as process:
        done = line(process)
        with pytest.raises(PlatformError, match="STATE_DIR: another process uses"):
            open_store(tmp_path, MEANING)
        process.send_signal(signal.SIGKILL)
        process.wait()
    store, fate, *_ = open_store(tmp_path, MEANING)
    assert fate is Fate.INTACT
    assert store.progress()[ORDERS] >= done
    with pytest.raises(PlatformError, match="STATE_DIR: another process uses"):
        open_store(tmp_path, MEANING)
    store.close()
    open_store(tmp_path, MEANING).store.close()


def test_a_kill_leaves_one_commit(tmp_path: Path) -> None:
    """Killed in the midst of turns, rows, families, dirty ones and progress are of one turn: the last committed."""
    chance = random.Random(7)
    for _ in range(8):
        with turns(tmp_path) as process:
            done = [line(process) for _ in range(chance.randrange(1, 60))][-1]
            process.send_signal(signal.SIGKILL)
            process.wait()
        store, fate, *_ = open_store(tmp_path, MEANING)
        turn = store.progress()[ORDERS]
        assert fate is Fate.INTACT
        assert turn >= done
        row = store.row(0, "hot")
        assert row is not None
        assert row.body == b"%d" % turn
        assert len(store.children(1, "hot", turn + 10)) == turn
        family = store.family(Entity.ORDERS, "hot")
        assert family is not None
        assert family.held == {(str(turn),)}
        dirty = store.touched(Entity.ORDERS, 0, turn + 10)
        assert [touched.record.offset for touched in dirty] == [turn - 1]
        assert store.floor(ORDERS) == turn - 1
        store.close()


def damage(kind: str, sound: bytes, chance: random.Random) -> bytes:
    """The file after its disk has lost or changed something."""
    match kind:
        case "byte":
            place = chance.randrange(len(sound))
            return sound[:place] + bytes([sound[place] ^ chance.randrange(1, 256)]) + sound[place + 1 :]
        case "header":
            place = chance.randrange(100)
            return sound[:place] + chance.randbytes(1) + sound[place + 1 :]
        case "page":
            place = chance.randrange(len(sound) // 4096) * 4096
            return sound[:place] + chance.choice([bytes(4096), chance.randbytes(4096)]) + sound[place + 4096 :]
        case _:
            return sound[: chance.randrange(1, len(sound))]


@pytest.mark.parametrize("kind", ["byte", "header", "page", "truncated"])
def test_a_damaged_file_ends_aside(tmp_path: Path, kind: str) -> None:
    """It is set aside when it is opened, or its use raises the error after which the next start does so: no other."""
    source = tmp_path / "sound"
    source.mkdir()
    store = open_store(source, MEANING).store
    fill(store, FAMILIES)
    store.close()
    sound, chance, fates = (source / NAME).read_bytes(), random.Random(kind), set()
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / NAME).write_bytes(damage(kind, sound, chance))
        fate = used(folder)
        fates.add(fate)
        if fate is None:
            fate = used(folder)
            assert fate is Fate.CORRUPT
        assert bool(asides(folder)) == (fate is not Fate.INTACT)
        shutil.rmtree(folder)
    assert Fate.CORRUPT in fates


def used(folder: Path) -> Fate | None:
    """Read and write everything. What is found has its types; None: it was found to be damaged."""
    store, fate, *_ = open_store(folder, MEANING)
    try:
        found = read_all(store, FAMILIES)
        fill(store, FAMILIES)
    except DamagedError:
        return None
    finally:
        store.close()
    rows = [value for value in found if isinstance(value, StoredRow)]
    assert all(type(row.parent) is str and type(row.body) is bytes for row in rows)
    dirty = [value for value in found if isinstance(value, Touched)]
    assert all(type(one.record.value) is bytes and type(one.record.offset) is int for one in dirty)
    return fate


def test_a_store_that_another_process_has_overtaken_is_set_aside(tmp_path: Path) -> None:
    """The process that finds out ends with what to do; the next start begins anew."""
    store = open_store(tmp_path, MEANING).store
    error = store.overtaken()
    assert "one volume" in str(error)
    with pytest.raises(sqlite3.ProgrammingError):
        store.commit()
    opened = open_store(tmp_path, MEANING)
    opened.store.close()
    assert opened.fate is Fate.OVERTAKEN
    assert opened.moved_to is not None
    assert opened.store.id != store.id
    again = open_store(tmp_path, MEANING)
    again.store.close()
    assert again.fate is Fate.INTACT


def test_damage_in_use_is_told_apart(tmp_path: Path) -> None:
    """An error of its own, without a word of what is stored; the store is closed; the next start begins anew."""
    database = open_database(tmp_path, LAYOUT, MEANING).database
    database.run("INSERT INTO rows VALUES (1, CAST(x'736563726574ff' AS TEXT), '1', x'', NULL)")
    with pytest.raises(DamagedError) as caught:
        Store(database).row(1, "1")
    assert "secret" not in f"{caught.value}{caught.value.__cause__}"
    assert caught.value.__suppress_context__
    with pytest.raises(sqlite3.ProgrammingError):
        database.commit()
    store, fate, moved_to, why = open_store(tmp_path, MEANING)
    store.close()
    assert fate is Fate.CORRUPT
    assert moved_to is not None
    assert "in use" in why
    again = open_store(tmp_path, MEANING)
    again.store.close()
    assert again.fate is Fate.INTACT


@pytest.mark.parametrize("how", ["missing", "a file"])
def test_a_folder_that_is_none_is_a_wrong_setting(tmp_path: Path, how: str) -> None:
    """The problem names the setting and the remedy; no folder is made where a volume ought to be."""
    folder = tmp_path / "state"
    if how == "a file":
        folder.touch()
    with pytest.raises(ConfigurationError, match=r"STATE_DIR: .*state can't be used.*name a folder that exists"):
        open_store(folder, MEANING)
    assert folder.exists() == (how == "a file")


def test_a_folder_that_may_not_be_written_is_a_wrong_setting() -> None:
    """The problem names the user whose folder it ought to be. Root may write anywhere, so this is no test for root."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        try:
            os.seteuid(user or 65534)
            with pytest.raises(ConfigurationError, match=rf"STATE_DIR: .*user \({user or 65534}\)"):
                open_store(Path(folder), MEANING)
        finally:
            os.seteuid(user)


def put_much(store: Store) -> None:
    """Far more than any of the limits below."""
    for number in range(2000):
        store.put(1, str(number), StoredRow("1", b"x" * 1000))
        store.touch(Entity.ORDERS, "1", record(ORDERS, number), snapshot=False, committed_ms=None)
        store.advance(ORDERS, number + 1)
    store.commit()


def test_a_full_disk_costs_the_turn(tmp_path: Path) -> None:
    """The error names the remedy; nothing of the turn is there afterwards, and the store goes on once there is room."""
    database = open_database(tmp_path, LAYOUT, MEANING).database
    store = Store(database)
    fill(store, 3)
    held = read_all(store, 3)
    database.run("PRAGMA max_page_count = 100")
    with pytest.raises(PlatformError, match=r"STATE_DIR: .*SQLITE_FULL.*more room") as caught:
        put_much(store)
    assert not isinstance(caught.value, DamagedError)
    store, fate, *_ = open_store(tmp_path, MEANING)
    assert fate is Fate.INTACT
    assert read_all(store, 3) == held
    put_much(store)
    store.close()


def test_a_write_that_fails_costs_the_turn(tmp_path: Path) -> None:
    """The system refuses to let the file grow: an error of the platform, and the last commit is what is there."""
    store = open_store(tmp_path, MEANING).store
    fill(store, 3)
    held = read_all(store, 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(PlatformError, match=r"STATE_DIR: .*\(SQLITE_\w+\).*more room") as caught:
            put_much(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not isinstance(caught.value, DamagedError)
    store, fate, *_ = open_store(tmp_path, MEANING)
    assert fate is Fate.INTACT
    assert read_all(store, 3) == held
    store.close()


def test_another_program_that_has_the_file_open(tmp_path: Path) -> None:
    """Someone looks into the file while the connector starts: it says so, and harms nothing."""
    open_store(tmp_path, MEANING).store.close()
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(PlatformError, match="another program has its file open"):
        open_store(tmp_path, MEANING)
    other.close()
    store, fate, *_ = open_store(tmp_path, MEANING)
    store.close()
    assert fate is Fate.INTACT
