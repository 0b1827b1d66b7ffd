#!/usr/bin/env python3
"""What tresenctl says about standards, word by word.

Each file in broken/ is put beside the good files in config/, as standards or (overlay-*) as
overlays; golden/ has what `standards check` then says, and what the other commands say of the good
files. usage: golden_test.py TRESENCTL [--write]
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = {
    "check": ["check", "CONFIG"],
    "explain-berlin": ["explain", "berlin"],
    "explain-rom-advice": ["explain", "rom", "advice", "--day", "2026-11-30"],
    "explain-rom-suspended": ["explain", "rom", "--day", "2026-12-20"],
    "explain-nowhere": ["explain", "hamburg"],
    "trace-de": ["trace", "wording.greeting", "--lang", "de"],
    "trace-span": ["trace", "wording.hello_first", "--lang", "de"],
    "trace-unknown": ["trace", "wording.greting"],
    "trace-language": ["trace", "wording.greeting", "--lang", "fr"],
    "test": ["test"],
    "diff-same": ["diff", "CONFIG", "CONFIG"],
    "diff": ["diff", "CONFIG", "OTHER"],
    "notice-de": ["notice", "berlin", "--lang", "de"],
    "notice-suspended": ["notice", "rom", "--day", "2026-12-01"],
    "phrases": ["phrases", "berlin"],
}


def run(tresenctl, folder, arguments):
    """Its output and exit status; the folder has no name in it."""
    said = subprocess.run([tresenctl, "standards", *arguments, "--set", f"config_dir={folder}"],
                          capture_output=True, text=True, check=False)
    text = f"exit {said.returncode}\n{said.stdout}{said.stderr}"
    return text.replace(str(folder), "CONFIG")


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
    for broken in sorted((HERE / "broken").glob("*.yaml")):
        with tempfile.TemporaryDirectory() as scratch:
            config = pathlib.Path(scratch, "config")
            shutil.copytree(HERE / "config", config)
            kind = "overlays" if broken.name.startswith("overlay-") else "standards"
            shutil.copy(broken, config / kind / "broken.yaml")
            yield broken.stem, run(tresenctl, config, ["check", str(config)])


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
        if (HERE / "broken" / f"{name}.yaml").exists() and not said.startswith("exit 1"):
            wrong.append(f"{name}: is taken although it is broken")
    wrong += [f"{left.name}: nothing says this any more"
              for left in set((HERE / "golden").glob("*.txt")) - seen]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(seen)} cases")


if __name__ == "__main__":
    main()
