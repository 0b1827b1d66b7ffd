"""What the eyes, the ears and the visitors of the example day perceive, along the made-up tickets of
timetable.py. Faces are frames of faces.csv and formulas have the times of phrases.csv (both real, see
there); to which client they are given, loudness and sheets are made up."""

import csv
import gzip
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
FACE_RATE_HZ = 2
MINUTE_S = 60

# name: shares of services in which they smile, do not greet, and are loud; share of time in which
# they look at a screen beside the client; badge, worn share of the working clothes; words
HABITS = {
    "Ada": (0.95, 0.02, 0.00, 0.10, "yes", 1.0), "Bo": (0.80, 0.05, 0.02, 0.20, "no", 1.0),
    "Cem": (0.60, 0.05, 0.02, 0.60, "yes", 0.8), "Dora": (0.70, 0.10, 0.05, 0.20, "yes", 1.0),
    "Emil": (0.85, 0.03, 0.02, 0.15, "yes", 0.5), "Fee": (0.30, 0.20, 0.15, 0.25, "yes", 1.0),
    "Gus": (0.60, 0.35, 0.05, 0.40, "no", 0.6), "Hanna": (0.90, 0.00, 0.00, 0.10, "yes", 1.0),
}
TIDINESS = [4.5, 4.0, 2.5, 3.5]  # of each desk
SCREEN_RAD = 0.9
SPEECH_LUFS, QUIET_LUFS, LOUD_LUFS = -26, -45, -11


def rows_of(name):
    with open(HERE / name, encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def write_gzip(path, text):
    with open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
        packed.write(text.encode())


def clock(second):
    return f"{second // 3600}:{second // 60 % 60:02d}"


# ---------------------------------------------------------------------- eyes

def face_row(frame, face, aside):
    yaw, gaze = float(face["Yaw"]) + aside, float(face["gaze_yaw"]) + aside
    return (f"{frame},{face['FaceScore']},{face['Pitch']},{yaw:.3f},{face['AU06']},"
            f"{face['AU12']},{face['gaze_pitch']},{gaze:.3f}\n")


def faces_of(rng, ticket, faces, away):
    """The frames of one service, a clip again and again; nobody's face while the desk is left."""
    smiles, _, _, screen, _, _ = HABITS[ticket["clerk"]]
    news = "good" if rng.random() < smiles else "bad"
    clip = rng.choice(sorted({face["clip"] for face in faces if face["news"] == news}))
    clip = [face for face in faces if face["clip"] == clip]
    spans = [(a, b) for desk, a, b in away if desk == ticket["desk"]]
    aside, until = 0.0, 0.0
    for frame in range((ticket["began"] - 2) * FACE_RATE_HZ, (ticket["done"] + 2) * FACE_RATE_HZ):
        second = frame / FACE_RATE_HZ
        if second >= until:
            aside = SCREEN_RAD if rng.random() < screen else 0.0
            until = second + rng.uniform(2, 8)
        if any(a <= second < b for a, b in spans):
            yield f"{frame},,,,,,,\n"
        else:
            yield face_row(frame, clip[frame % len(clip)], aside)


def write_eyes(out, note, rng, tickets, away, desks):
    """One camera a desk: what py-feat would write, while somebody is served."""
    faces = rows_of("faces.csv")
    for desk in range(desks):
        text = [note, "# The frames are those of ops/day/faces.csv (py-feat, MIT).\n",
                "frame,FaceScore,Pitch,Yaw,AU06,AU12,gaze_pitch,gaze_yaw\n"]
        last = 0
        for t in tickets:
            if t["desk"] != desk or "done" not in t:
                continue
            for row in faces_of(rng, t, faces, away):
                frame = int(row.split(",", 1)[0])
                if frame > last:
                    text.append(row)
                    last = frame
        write_gzip(pathlib.Path(out) / f"eye-{desk + 1}.csv.gz", "".join(text))


# ---------------------------------------------------------------------- ears

def formulas_of(rng, ticket, phrases):
    """Seconds and formulas of one of the recorded calls: those of its first half from the beginning,
    the others from the end."""
    _, silent, _, _, _, _ = HABITS[ticket["clerk"]]
    call = rng.choice(sorted({row["call"] for row in phrases}))
    greets = rng.random() >= silent
    for row in phrases:
        since, before = float(row["since_begin_s"]), float(row["before_end_s"])
        at = ticket["began"] + since if since < before else ticket["done"] - before
        if row["call"] != call or (row["phrase"] == "greeting" and not greets):
            continue
        if ticket["began"] <= at < ticket["done"]:
            yield at, row["phrase"], float(row["sure"])
    if rng.random() < 0.03:
        yield (rng.uniform(ticket["began"], ticket["done"]), "forbidden",
               rng.choice((0.6, 0.8, 0.9)))


def levels_of(rng, ticket):
    """Loudness, a second each: speech and pauses, and in some services raised voices."""
    loud = rng.random() < HABITS[ticket["clerk"]][2]
    speech = LOUD_LUFS if loud else SPEECH_LUFS
    for second in range(ticket["began"], ticket["done"]):
        level = rng.gauss(speech, 2) if rng.random() < 0.7 else rng.gauss(QUIET_LUFS, 3)
        yield second, max(-70.0, min(0.0, level))


def write_ears(path, note, rng, tickets, opens_ms, seconds, desks):
    """JSON lines as a sound program would write them: what it heard, minute by minute, and that it
    listened."""
    phrases = rows_of("phrases.csv")
    lines = []
    for t in tickets:
        if "done" not in t:
            continue
        counter = f"desk-{t['desk'] + 1}"
        for at, phrase, sure in formulas_of(rng, t, phrases):
            lines.append((at, {"measure": "audio.phrase", "counter": counter, "label": phrase,
                               "confidence": sure}))
        for at, level in levels_of(rng, t):
            lines.append((at, {"measure": "audio.loudness", "counter": counter,
                               "value": round(level, 1)}))
    lines.sort(key=lambda line: line[0])
    end = max(seconds, int(lines[-1][0]) + 1)
    text = [note, "# The formulas' times are those of ops/day/phrases.csv (Apache-2.0).\n"]
    at = 0
    for begin in range(0, end, MINUTE_S):
        until = begin + MINUTE_S
        while at < len(lines) and lines[at][0] < until:
            text.append(json.dumps({"t": opens_ms + round(lines[at][0] * 1000), **lines[at][1]}))
            at += 1
        for desk in range(desks):
            for measure in ("audio.phrase", "audio.loudness"):
                text.append(json.dumps({"watch": {
                    "measure": measure, "counter": f"desk-{desk + 1}",
                    "from": opens_ms + begin * 1000, "to": opens_ms + until * 1000}}))
        text.append(json.dumps({"watermark": opens_ms + until * 1000}))
    write_gzip(path, "".join(text[:2]) + "\n".join(text[2:]) + "\n")


# ---------------------------------------------------------------------- visitors

def write_sheets(path, note, rng, day, opens_s, seconds, desks, clerk_at):
    """Every desk is looked at for twenty minutes of every fifty."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write(note + "date,desk,from,to,sure,badge,uniform,tidy\n")
        for desk in range(desks):
            for begin in range(5 * MINUTE_S + desk * 11 * MINUTE_S, seconds - 25 * MINUTE_S,
                               50 * MINUTE_S):
                *_, badge, uniform = HABITS[clerk_at(desk, begin)]
                tidy = TIDINESS[desk] + rng.choice((-0.5, 0, 0, 0.5))
                out.write(f"{day},{desk + 1},{clock(opens_s + begin)},"
                          f"{clock(opens_s + begin + 20 * MINUTE_S)},{rng.choice((0.7, 0.9, 1))},"
                          f"{badge},{uniform},{tidy if rng.random() < 0.9 else ''}\n")
