#!/usr/bin/env python3
"""The sum of a run of ctest, from what `ctest --output-junit` has written: "PASSED FAILED", then a
line for each test that was skipped, whole or in part, and why.

  tests/sum.py RESULTS
"""

import re
import sys
import xml.etree.ElementTree

# Our own programs say "skipped: why"; unittest says "... skipped 'why'".
REASON = re.compile(r"""^skipped: (.+)|\.\.\. skipped (['"])(.+)\2$""", re.MULTILINE)


def reasons(case):
    found = REASON.finditer(case.findtext("system-out") or "")
    return "; ".join(dict.fromkeys((one[1] or one[3]).strip() for one in found))


def main():
    passed, failed, skipped = 0, 0, []
    for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        name, why, left_out = case.get("name"), reasons(case), case.find("skipped")
        if case.get("status") == "run":
            passed += 1
            if why:
                skipped.append(f"{name}, in part: {why}")
        elif left_out is not None and left_out.get("message", "").startswith("SKIP_"):
            skipped.append(f"{name}: {why or 'it does not say why'}")
        else:  # failed, or could not even begin
            failed += 1
    if passed + failed + len(skipped) == 0:
        sys.exit("no test was run")
    print(f"{passed} {failed}", *skipped, sep="\n")


if __name__ == "__main__":
    main()
