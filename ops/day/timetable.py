#!/usr/bin/env python3
"""Writes the example day of the branch musterstadt: a made-up day, along which real faces, ways of
real people and the times of real phrases are played (see README.md, senses.py and radar.py).

    timetable.py [--out FOLDER] [--day 2026-11-23] [--seed 1] [--hours 3]

  desk.csv       the queue system's log: a row a ticket, by desk (so not in the order of time)
  floor.csv.gz   where people stand, twice a second: employees behind their desks, clients before
                 them, and sometimes somebody who comes too close or walks by
  radar.bin.gz   the same people as a radar at desk 4 would tell them
  eye-N.csv.gz   the employee's face at desk N, twice a second while somebody is served
  ear.jsonl.gz   which formulas were heard, and how loud it was, a second each
  form.csv       sheets of a supervisor who walks from desk to desk

The same arguments give the same bytes. config/gateways/musterstadt-*.yaml play the files. Eight
employees (two a desk, half of the day each) differ on purpose: one is slow, one stands too close,
one leaves the desk, so that standards are met and not met and there is a spread to see.
"""

import argparse
import datetime
import io
import os
import random
import zoneinfo

import radar
import senses

OPENS_S = 9 * 3600
ZONE = "Europe/Berlin"
RATE_HZ = 2
WALK_STEP_S = 0.4
DESKS = 4
DESK_SPACING_M = 3.0
EMPLOYEE_Y_M = -0.50  # behind the desk, whose front edge is y = 0
NOTE = "# Made up by ops/day/timetable.py: no real branch, employee or client.\n"

# name: pace (factor of service time), distance to the client in m, walk (factor of the time from
# call to start), share of services in which the desk is left for a while
EMPLOYEES = [
    ("Ada", 0.9, 1.05, 0.8, 0.02), ("Bo", 1.0, 1.20, 1.0, 0.05),
    ("Cem", 1.6, 1.15, 1.2, 0.05), ("Dora", 1.0, 0.72, 1.0, 0.05),
    ("Emil", 0.8, 1.30, 1.0, 0.05), ("Fee", 1.1, 1.10, 2.4, 0.05),
    ("Gus", 1.0, 1.45, 1.0, 0.45), ("Hanna", 0.95, 1.00, 0.7, 0.02),
]
# queue: share of the clients, median service in s
QUEUES = [("cash", 0.55, 110), ("returns", 0.25, 200), ("advice", 0.20, 340)]
LANGUAGES = [("de", 0.85), ("en", 0.10), ("pl", 0.05)]


def pick(rng, rows):
    """One of (value, share, ...) rows by its share."""
    at = rng.random() * sum(row[1] for row in rows)
    for row in rows:
        at -= row[1]
        if at < 0:
            return row
    return rows[-1]


def arrivals(rng, seconds):
    """Times at which clients come: every 90 s, in the rush of the middle hour every 55 s."""
    at = 20.0
    while at < seconds - 600:
        yield int(at)
        rush = 0.38 < at / seconds < 0.62
        at += rng.expovariate(1 / (55 if rush else 90))


def serve(rng, ticket, free_at, half):
    """Walks a ticket through its desk: fills in called, began, done or left. Returns when the desk
    is free again."""
    employee = EMPLOYEES[ticket["desk"] * 2 + (1 if ticket["printed"] >= half else 0)]
    ready = max(ticket["printed"] + 3, free_at)
    patience = rng.uniform(240, 900)
    if ready - ticket["printed"] > patience:
        ticket["left"] = int(ticket["printed"] + patience)
        ticket["result"] = "LEFT"
        return free_at
    ticket["called"] = ready
    if rng.random() < 0.03:
        ticket["left"] = ready + 45
        ticket["result"] = "NOSHOW"
        return ticket["left"]
    ticket["clerk"] = employee[0]
    ticket["employee"] = employee
    ticket["began"] = ready + max(2, int(rng.lognormvariate(2.6, 0.5) * employee[3]))
    median = next(row[2] for row in QUEUES if row[0] == ticket["queue"])
    length = max(6, int(rng.lognormvariate(0, 0.55) * median * employee[1]))
    ticket["done"] = ticket["began"] + length
    ticket["result"] = "TRANSFER" if rng.random() < 0.03 else "DONE"
    return ticket["done"] + rng.randint(3, 15)


def tickets_of(rng, seconds):
    """All tickets of the day; each desk has a line of its own."""
    free_at = [0] * DESKS
    tickets = []
    for number, printed in enumerate(arrivals(rng, seconds), 1):
        desk = min(range(DESKS), key=lambda d: (max(free_at[d], printed), d))
        queue = pick(rng, QUEUES)[0]
        ticket = {"ticket": f"{queue[0].upper()}{number:03d}", "desk": desk, "queue": queue,
                  "language": pick(rng, LANGUAGES)[0], "printed": printed}
        free_at[desk] = serve(rng, ticket, free_at[desk], seconds / 2)
        tickets.append(ticket)
    return tickets


def clock(second):
    if second is None:
        return ""
    second += OPENS_S
    return f"{second // 3600}:{second // 60 % 60:02d}:{second % 60:02d}"


def write_log(path, day, tickets):
    times = ("printed", "called", "began", "done", "left")
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write(NOTE)
        out.write("date,ticket,desk,queue,language,printed,called,began,done,left,result,clerk\n")
        for t in sorted(tickets, key=lambda t: (t["desk"], t["printed"])):
            fields = [day, t["ticket"], str(t["desk"] + 1), t["queue"], t["language"]]
            fields += [clock(t.get(name)) for name in times]
            out.write(",".join(fields + [t["result"], t.get("clerk", "")]) + "\n")


class Person:
    """Somebody on the floor: stands still, and now and then takes a small step."""

    def __init__(self, rng, number, x, y, begin, end):
        self.rng, self.number, self.x, self.y = rng, number, x, y
        self.begin, self.end = begin, end
        self.dx = self.dy = 0.0

    def place(self, _second):
        if self.rng.random() < 0.08:
            self.dx = max(-0.06, min(0.06, self.dx + self.rng.choice((-0.02, 0.02))))
            self.dy = max(-0.06, min(0.06, self.dy + self.rng.choice((-0.02, 0.02))))
        return self.x + self.dx, self.y + self.dy


class Walker:
    """Somebody who walks by behind a client, as a person of walks.csv once walked; it looks like a
    Person to the floor."""

    def __init__(self, way, number, middle, begin):
        self.way, self.number, self.middle, self.begin = way, number, middle, begin
        self.end = begin + (len(way) - 1) * WALK_STEP_S

    def place(self, second):
        at = max(0.0, second - self.begin) / WALK_STEP_S
        i = min(int(at), len(self.way) - 2)
        along, beside = (a + (b - a) * (at - i) for a, b in zip(self.way[i], self.way[i + 1]))
        return self.middle[0] + along, self.middle[1] + beside


def walkers(rng, clients):
    """Behind one of three clients somebody walks by."""
    ways = {}
    for row in senses.rows_of("walks.csv"):
        ways.setdefault(row["walk"], []).append((float(row["along_m"]), float(row["beside_m"])))
    for number, client in enumerate(clients, 1000):
        if rng.random() < 1 / 3:
            way = ways[rng.choice(sorted(ways))]
            begin = client.begin + rng.uniform(0, max(0, client.end - client.begin - 15))
            yield Walker(way, number, (client.x, client.y + rng.uniform(0.6, 1.8)), begin)


def client_and_company(rng, ticket, number):
    """The client of a service and, in one of six, a person who waits too close behind."""
    x, distance = ticket["desk"] * DESK_SPACING_M, rng.gauss(ticket["employee"][2], 0.09)
    if rng.random() < 0.04:
        distance = rng.uniform(0.30, 0.42)  # much too close
    begin, end = ticket["began"] - 4, ticket["done"] + 3
    client = Person(rng, number, x, EMPLOYEE_Y_M + max(0.30, distance), begin, end)
    if rng.random() >= 1 / 6:
        return [client]
    length = (end - begin) * rng.uniform(0.2, 0.9)
    since = begin + rng.uniform(0, end - begin - length)
    behind = Person(rng, number + 1, x + 0.3, client.y + rng.uniform(0.45, 1.1), since,
                    since + length)
    return [client, behind]


def absences(rng, tickets):
    """Spans in which a desk's employee fetches something: nobody can be measured there then."""
    spans = []
    for t in tickets:
        if "done" in t and rng.random() < t["employee"][4]:
            length = (t["done"] - t["began"]) * rng.uniform(0.3, 0.7)
            since = t["began"] + rng.uniform(0, t["done"] - t["began"] - length)
            spans.append((t["desk"], since, since + length))
    return spans


def write_floor(out, rng, tickets, away, seconds):
    number, people = 100, []
    for t in tickets:
        if "done" in t:
            people += client_and_company(rng, t, number)
            number += 2
    # With a generator of their own, so that they change nobody else.
    people += walkers(random.Random(len(people)), [p for p in people if p.number % 2 == 0])
    employees = [Person(rng, desk + 1, desk * DESK_SPACING_M, EMPLOYEE_Y_M, 0, seconds)
                 for desk in range(DESKS)]
    last = max([seconds] + [t["done"] + 60 for t in tickets if "done" in t])
    outage = (int(seconds * 0.55), int(seconds * 0.55) + 120)  # the sensor restarts
    people.sort(key=lambda p: (p.begin, p.number))
    text, radar_frames, here, at = io.StringIO(), [], [], 0
    text.write(NOTE + "t_s,person,x_m,y_m\n")
    for frame in range(last * RATE_HZ):
        second = frame / RATE_HZ
        while at < len(people) and people[at].begin <= second:
            here.append(people[at])
            at += 1
        here = [p for p in here if p.end > second]
        present = [p for desk, p in enumerate(employees)
                   if not any(d == desk and a <= second < b for d, a, b in away)] + here
        places = [p.place(second) for p in present]
        radar_frames.append(radar.frame(places))
        if not outage[0] <= second < outage[1]:
            text.writelines(f"{second:.1f},{p.number},{x:.2f},{y:.2f}\n"
                            for p, (x, y) in zip(present, places))
    senses.write_gzip(os.path.join(out, "floor.csv.gz"), text.getvalue())
    radar.write(os.path.join(out, "radar.bin.gz"), radar_frames)


def write_senses(arguments, rng, tickets, away, seconds):
    def path(name):
        return os.path.join(arguments.out, name)

    def clerk_at(desk, second):
        return EMPLOYEES[desk * 2 + (1 if second >= seconds / 2 else 0)][0]

    opens = datetime.datetime.fromisoformat(arguments.day).replace(
        tzinfo=zoneinfo.ZoneInfo(ZONE)) + datetime.timedelta(seconds=OPENS_S)
    senses.write_eyes(arguments.out, NOTE, rng, tickets, away, DESKS)
    senses.write_ears(path("ear.jsonl.gz"), NOTE, rng, tickets, int(opens.timestamp()) * 1000,
                      seconds, DESKS)
    senses.write_sheets(path("form.csv"), NOTE, rng, arguments.day, OPENS_S, seconds, DESKS,
                        clerk_at)


def main():
    parser = argparse.ArgumentParser(description="Write the made-up example day.")
    parser.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--day", default="2026-11-23")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=3)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    seconds = int(arguments.hours * 3600)
    tickets = tickets_of(rng, seconds)
    os.makedirs(arguments.out, exist_ok=True)
    write_log(os.path.join(arguments.out, "desk.csv"), arguments.day, tickets)
    away = absences(rng, tickets)
    write_floor(arguments.out, rng, tickets, away, seconds)
    write_senses(arguments, random.Random(arguments.seed + 1), tickets, away, seconds)
    served = [t for t in tickets if "done" in t]
    late = sum(t["began"] - t["printed"] > 120 for t in served)
    print(f"{len(tickets)} tickets, {len(served)} served, {late} waited more than two minutes, "
          f"{sum(t['result'] == 'LEFT' for t in tickets)} left")


if __name__ == "__main__":
    main()
