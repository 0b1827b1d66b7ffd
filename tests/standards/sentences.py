"""The sentences with which C sources refuse a file: found in the sources, sought in what was said."""

import re

CALLS = ("node_problem", "problems_add", "problem_set", "absent", "twice")
SKIPPED = re.compile(r'//[^\n]*|/\*.*?\*/', re.S)
PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"')
FIELD = re.compile(r"%[-+ 0-9.*]*(?:z|ll|l|h)*[a-zA-Z]")


def arguments(source, at):
    """The texts between the commas of the call whose bracket opens at `at`."""
    depth, begin, found = 0, at + 1, []
    while True:
        letter = source[at]
        if letter == '"':
            at = PIECE.match(source, at).end() - 1
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and letter == ","):
            found.append(source[begin:at].strip())
            begin = at + 1
        if depth == 0:
            return found
        at += 1


def sentences(path):
    """(line, sentence) of each call that refuses something, with its fields such as %s."""
    source = SKIPPED.sub(lambda gone: re.sub(r"[^\n]", " ", gone.group()), path.read_text())
    for call in re.finditer(r"\b(?:%s)\(" % "|".join(CALLS), source):
        line = source.count("\n", 0, call.start()) + 1
        for argument in arguments(source, call.end() - 1):
            pieces = PIECE.findall(argument)
            whole = "".join(pieces).replace('\\"', '"').replace("\\\\", "\\")
            if argument.startswith('"') and " " in whole:
                yield line, re.sub(r"\s+EDITIONS_KEY\s+", "", whole)
                break


def pattern(sentence):
    """What matches it with anything in its fields."""
    return re.compile(".*".join(map(re.escape, FIELD.split(sentence.replace("%%", "%")))), re.S)
