#!/usr/bin/env python3
"""What tresenctl says about standards, word by word.

Each file in broken/ is put beside the good files in config/, as standards or (overlay-*) as
overlays; each folder there is laid over them, without what its ABSENT names. golden/ has what
`standards check` then says, and what the other commands say of the good files.
usage: golden_test.py TRESENCTL [--write]
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from sentences import FIELD, PIECE, pattern, sentences

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Whatever refuses a file of standards, and what may show that it does.
SOURCES = ("worker/standards/*.c", "worker/catalogue/*.c", "ops/ctl/phrases.c",
           "common/settings/node.c", "common/settings/document.c", "common/settings/file.c",
           "common/settings/texts.c", "common/registry/measures.c", "common/registry/branches.c")
TESTS = ("tests/unit/standards/*.c", "tests/unit/catalogue/*.c", "tests/unit/settings/*.c",
         "tests/unit/registry/*.c")
# A sentence, or a file, and why it needs no test or no way out.
EXCEPTIONS = {
    "out of memory": "no file brings it about",
    "%zu branches; at most %d are possible": "more files than a test should write",
    "more than %d files, or a name of %d bytes or more; join files, or rename them":
        "more files than a test should write",
    "%s: '%s' is none of: %s%s%s%s": "goes on with what was meant, or with \"; choose one\"",
    "%s: %s": "the system's own reason",
    "editions.c": "no file but what Redis holds; who prints it adds the way out",
    "for a duration, which the encounter's own times tell": "the end of a sentence with one",
    "without a measure of events": "the end of a sentence with one",
    "without the statistic quantile": "the end of a sentence with one",
    "for this statistic": "the end of a sentence with one",
}
COMMANDS = {
    "check": ["check", "CONFIG"],
    "explain-berlin": ["explain", "berlin", "--day", "2026-11-30"],
    "explain-rom-advice": ["explain", "rom", "advice", "--day", "2026-11-30"],
    "explain-rom-suspended": ["explain", "rom", "--day", "2026-12-20"],
    "explain-nowhere": ["explain", "hamburg"],
    "trace-de": ["trace", "wording.greeting", "--lang", "de"],
    "trace-span": ["trace", "wording.hello_first", "--lang", "de"],
    "trace-all": ["trace"],
    "list": ["list"],
    "list-nowhere": ["list", "hamburg"],
    "diff-one": ["diff", "CONFIG"],
    "trace-unknown": ["trace", "wording.greting"],
    "trace-language": ["trace", "wording.greeting", "--lang", "fr"],
    "test": ["test"],
    "diff-same": ["diff", "CONFIG", "CONFIG"],
    "diff": ["diff", "CONFIG", "OTHER"],
    "notice-de": ["notice", "berlin", "--lang", "de", "--day", "2026-11-30"],
    "notice-suspended": ["notice", "rom", "--day", "2026-12-01"],
    "phrases": ["phrases", "berlin"],
}


def run(tresenctl, folder, arguments):
    """Its output and exit status; neither the folder's name nor the hash of all is in it."""
    said = subprocess.run([tresenctl, "standards", *arguments, "--set", f"config_dir={folder}"],
                          capture_output=True, text=True, check=False)
    text = f"exit {said.returncode}\n{said.stdout}{said.stderr}"
    text = re.sub(r"\b(set|documents) [0-9a-f]{12}\b", r"\1 HASH", text)
    return text.replace(str(folder), "CONFIG").replace(str(folder.parent), "ELSEWHERE")


def lay(broken, config):
    """Put what is broken into the good folder."""
    if broken.is_dir():
        shutil.copytree(broken, config, dirs_exist_ok=True)
        absent = config / "ABSENT"
        for name in [*absent.read_text().split(), "ABSENT"] if absent.exists() else []:
            (config / name).unlink()
    else:
        kind = "overlays" if broken.name.startswith("overlay-") else "standards"
        shutil.copy(broken, config / kind / "broken.yaml")


def add(path, text):
    path.write_text(path.read_text() + text + "\n")


def full(tresenctl):
    """One standard and one overlay more than there is room for."""
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch, "config")
        shutil.copytree(HERE / "config", config)
        found = (config / "standards/all.yaml").read_text().split("- standard")
        one, others = "- standard" + found[1], len(found) - 1
        many = [one.replace("proxemics.closest", f"s{i}") for i in range(257 - others)]
        (config / "standards/many.yaml").write_text("".join(many))
        many = [f"- {{overlay: o{i}, layer: branch, source: example, forbids: [P2]}}\n"
                for i in range(254)]
        (config / "overlays/many.yaml").write_text("".join(many))
        return run(tresenctl, config, ["check", str(config)])


def cases(tresenctl):
    """(name, what was said)"""
    for name, arguments in COMMANDS.items():
        with tempfile.TemporaryDirectory() as scratch:
            config, other = pathlib.Path(scratch, "a"), pathlib.Path(scratch, "b")
            shutil.copytree(HERE / "config", config)
            shutil.copytree(HERE / "config", other)
            standards = other / "standards/all.yaml"
            standards.write_text(standards.read_text().replace("bound: {least: 0.45}",
                                                               "bound: {least: 0.50}"))
            places = {"CONFIG": str(config), "OTHER": str(other)}
            yield name, run(tresenctl, config, [places.get(one, one) for one in arguments])
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch, "config")
        shutil.copytree(HERE / "config", config)
        (config / "phrases.yaml").write_text("- {phrase: sorry, en: [i am sorry]}\n")
        yield "phrases-without-words", run(tresenctl, config, ["phrases", "berlin"])
    with tempfile.TemporaryDirectory() as scratch:
        config = pathlib.Path(scratch, "config")
        shutil.copytree(HERE / "config", config)
        add(config / "values.yaml", "- {value: calm, text: {de: Wir sind ruhig., en: We are calm.}}")
        add(config / "norms.yaml", "- {norm: quiet, value: calm, text: {de: Leise., en: Quietly.}}")
        smile = (config / "standards/all.yaml").read_text().split("- standard")[1]
        for old, new in (("proxemics.closest", "smile"), ("distance.client", "vision.smile"),
                         ("unit: m", 'unit: "1"'), ("Nie näher als {least}", "Zu 45 Prozent"),
                         ("Never nearer than {least}", "Smiling")):
            smile = smile.replace(old, new)
        add(config / "standards/all.yaml", "- standard" + smile)
        phrases = config / "phrases.yaml"
        phrases.write_text(phrases.read_text().replace("- phrase: hello", "- phrase: hallo"))
        add(config / "overlays/all.yaml", "- {overlay: rom.smile, layer: branch, source: s, "
            "where: {branches: [rom]}, standard: smile, bound: {least: 0.5}}")
        yield "check-warns", run(tresenctl, config, ["check", str(config)])
    yield "full", full(tresenctl)
    for broken in sorted((HERE / "broken").iterdir()):
        with tempfile.TemporaryDirectory() as scratch:
            config = pathlib.Path(scratch, "config")
            shutil.copytree(HERE / "config", config)
            lay(broken, config)
            yield broken.stem, run(tresenctl, config, ["check", str(config)])


def untold():
    """Sentences of the sources that no test has seen, or that leave the reader without a way out."""
    lines = [line for golden in (HERE / "golden").glob("*.txt")
             for line in golden.read_text().splitlines()]
    fragments = [piece for test in TESTS for path in sorted(ROOT.glob(test))
                 for piece in PIECE.findall(re.sub(r'"\s+"', "", path.read_text()))
                 if len(piece) > 6 and " " in piece]
    wrong, excepted = [], set()
    for source in SOURCES:
        for path in sorted(ROOT.glob(source)):
            for line, sentence in sentences(path):
                where = f"{path.relative_to(ROOT)}:{line}: \"{sentence}\""
                known = {key for key in (sentence, path.name) if key in EXCEPTIONS}
                excepted |= known
                seen = pattern(sentence)
                if sentence not in EXCEPTIONS and not any(map(seen.search, lines + fragments)) \
                        and not any(piece in part for piece in fragments
                                    for part in FIELD.split(sentence)):
                    wrong.append(f"{where} is said in no golden and no unit test")
                if not known and "; " not in sentence:
                    wrong.append(f"{where} has no way out behind a semicolon")
    return wrong + [f"the exception {one!r} is needed no more" for one in set(EXCEPTIONS) - excepted]


def main():
    tresenctl, write = sys.argv[1], "--write" in sys.argv[2:]
    wrong, seen = [], set()
    for name, said in cases(tresenctl):
        golden = HERE / "golden" / f"{name}.txt"
        seen.add(golden)
        if write:
            golden.write_text(said)
        elif not golden.exists() or golden.read_text() != said:
            wrong.append(f"{name}: it said\n{said}\nbut golden is\n"
                         + (golden.read_text() if golden.exists() else "nothing"))
        is_broken = any((HERE / "broken" / one).exists() for one in (name, f"{name}.yaml"))
        if is_broken and not said.startswith("exit 1"):
            wrong.append(f"{name}: is taken although it is broken")
    wrong += [f"{left.name}: nothing says this any more"
              for left in set((HERE / "golden").glob("*.txt")) - seen]
    wrong += untold()
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(seen)} cases")


if __name__ == "__main__":
    main()
