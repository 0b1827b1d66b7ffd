"""The function library's text as of another revision, in which each ingest counts itself in Redis' key
`ran:REVISION`: what that says ran is what ran.

usage: marked_library.py TO    write that of the next revision
"""

import pathlib
import re
import sys

STORE = pathlib.Path(__file__).resolve().parents[2] / "worker" / "store"
REVISION = re.compile(r"^local REVISION = (\d+)$", re.M)
INGEST = "redis.register_function('tresen_v1_ingest', ingest)"
ASKED = re.compile(r"^redis\.register_function\(\{ function_name = 'tresen_v1_revision'.*?\}\)$",
                   re.M | re.S)


def shipped():
    """All parts, in the order of the build."""
    parts = re.search(r"set\(parts ([^)]*)\)", (STORE / "CMakeLists.txt").read_text()).group(1)
    return "".join((STORE / part).read_text() for part in parts.split())


def shipped_revision():
    return int(REVISION.search(shipped()).group(1))


def marked(revision):
    """Of revision 0: one of before there were revisions."""
    text, revisions = REVISION.subn(f"local REVISION = {revision}", shipped())
    text, ingests = re.subn(re.escape(INGEST), f"""redis.register_function('tresen_v1_ingest',
  function(keys, args)
    redis.call('INCR', 'ran:{revision}')
    return ingest(keys, args)
  end)""", text)
    asked = 1
    if revision == 0:
        text, asked = ASKED.subn("", text)
    assert (revisions, ingests, asked) == (1, 1, 1), "the library's text is of another shape"
    return text


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(marked(shipped_revision() + 1))
