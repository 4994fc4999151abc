from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from observability.ids import uuid7


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_of_a_process_differ_in_its_threads_too() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [made for some in pool.map(lambda _: [uuid7() for _ in range(20_000)], range(8)) for made in some]
    assert len(set(made)) == 160_000


def test_ids_sort_by_their_milliseconds() -> None:
    made = []
    for _ in range(5):
        made.append(uuid7())
        time.sleep(0.002)
    assert made == sorted(made)


def test_an_id_does_not_tell_how_many_were_made_before_it() -> None:
    ends = [int(uuid7()[-12:], 16) for _ in range(100)]
    steps = {later - earlier for earlier, later in pairwise(ends)}
    assert not steps & {1, 2, 3}


def test_children_of_one_process_make_ids_of_their_own() -> None:
    readers = []
    for _ in range(2):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, "".join(uuid7()[-12:] for _ in range(50)).encode())
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    first, second = (b"".join(iter(lambda r=reader: os.read(r, 4096), b"")) for reader in readers)
    assert len(first) == len(second) == 600
    assert not {first[n : n + 12] for n in range(0, 600, 12)} & {second[n : n + 12] for n in range(0, 600, 12)}
