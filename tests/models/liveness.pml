/* What comes to its end once faults cease: a gateway -> a broker that gives the jobs of a branch to
 * one of two workers at a time -> a store with an asynchronous replica; then an encounter that two
 * workers judge under leases. Each fault takes one from a purse; whoever can go on goes on (weak
 * fairness), and clocks run out only when nobody is at work any more.
 *
 * Proved for three batches, with the faults of the purse in any order: a message lost, doubled or
 * swallowed with its worker, a store that falls back, a lease that runs out too early.
 *   acked    every spooled batch is applied and acknowledged, for good
 *   rewinds  a gateway that steps back comes to the end of its spool again
 *   settled  an encounter is settled after its last data, for good
 *
 * -DPLANT=1 an unanswered question is not asked again      (acked)
 *        2 an idle gateway does not ask                    (acked: the store fell back unseen)
 *        3 nobody notices that a worker has died           (acked)
 *        4 after a step back it goes on with the batch after the next  (rewinds)
 *        5 a lease does not run out                        (settled)
 *        6 data voids a lease, and nobody is told          (settled) */
#ifndef PLANT
#define PLANT 0
#endif
#ifndef FAULTS
#define FAULTS 4
#endif
#ifndef N
#define N 3
#endif
#define SESSIONS 4 /* numbers of so many are told apart: no more are ever on their way */
#define WORKERS 2

mtype = { ASK, DATA };
byte purse = FAULTS;

/* A gateway: how far the store is as it believes, how far it has sent. */
chan net = [1] of { mtype, byte, byte };   /* session, number */
chan jobs = [2] of { mtype, byte, byte };  /* with the broker */
chan answers = [1] of { byte, byte, bool }; /* session, position, whether the batch fitted */
byte session, applied, sent;
bool asking = true, rewinding;
bool at_work[WORKERS];

#define QUIET (empty(net) && empty(jobs) && empty(answers) && !at_work[0] && !at_work[1])
#define ASKS_AGAIN (QUIET && (asking || sent > applied || applied == N))
#define MAY_ASK ((PLANT != 1 || !session) && (PLANT != 2 || applied < N))

/* The store, and its replica. */
byte number, replica;

inline step_back(to) {
  if :: to < applied -> rewinding = true :: else fi;
  session = session % (SESSIONS - 1) + 1;
  applied = to;
  sent = (PLANT == 4 && rewinding && to + 1 < N -> to + 1 : to)
}

proctype gateway() {
  byte s, n; bool fits;
  do
  :: atomic { ASKS_AGAIN && MAY_ASK ->
       session = session % (SESSIONS - 1) + 1; asking = true; net!ASK(session, 0) }
  :: atomic { !asking && sent < N && nfull(net) -> sent++; net!DATA(session, sent) }
  :: atomic { answers?s, n, fits ->
       if
       :: s != session -> skip
       :: s == session && asking -> asking = false; step_back(n)
       :: s == session && !asking && fits && n > applied -> applied = n
       :: s == session && !asking && !fits -> step_back(n)
       :: else -> skip
       fi;
       if :: applied == N -> rewinding = false :: else fi;
       s = 0; n = 0; fits = false }
  od
}

proctype broker() {
  mtype what; byte s, n;
  do
  :: atomic { nempty(net) && nfull(jobs) -> net?what, s, n; jobs!what, s, n; what = 0; s = 0; n = 0 }
  :: atomic { nempty(net) && purse -> net?what, s, n; purse--; what = 0; s = 0; n = 0 }    /* lost */
  :: atomic { nempty(net) && nfull(jobs) && purse ->                                    /* doubled */
       net?<what, s, n>; jobs!what, s, n; purse--; what = 0; s = 0; n = 0 }
  od
}

proctype worker(byte w) {
  mtype what; byte s, n;
  do
  :: atomic { !at_work[1 - w] && nempty(jobs) ->
       jobs?what, s, n; at_work[w] = true };
     if
     :: atomic { nfull(answers) ->
          if
          :: what == DATA && n == number + 1 -> number = n; answers!s, number, true
          :: what == DATA && n <= number -> answers!s, number, true      /* a duplicate */
          :: what == DATA && n > number + 1 -> answers!s, number, false
          :: what == ASK -> answers!s, number, true
          fi;
          at_work[w] = false; what = 0; s = 0; n = 0 }
     :: atomic { purse ->                                                          /* dies of it */
          purse--; at_work[w] = (PLANT == 3); what = 0; s = 0; n = 0;
          PLANT != 3 }
     fi
  od
}

proctype redis() {
  do
  :: d_step { replica != number -> replica = number }
  :: d_step { purse && replica != number -> purse--; number = replica }
  :: d_step { purse && number -> purse--; number = 0; replica = 0 }           /* emptied */
  od
}

/* Judging: an encounter becomes due, is taken, judged, settled; data may come at any moment. */
bool due = true, judged;
byte lease, leases, mine[WORKERS], data;
#define HELD (lease && (lease == mine[0] || lease == mine[1]))

proctype judge(byte w) {
  do
  :: d_step { due && !mine[w] -> leases++; lease = leases; mine[w] = lease; due = false }
  :: d_step { mine[w] && lease == mine[w] -> judged = true; lease = 0; mine[w] = 0 }
  :: d_step { mine[w] && lease != mine[w] -> mine[w] = 0 }                      /* stale */
  :: d_step { mine[w] && purse -> purse--; mine[w] = 0 }                         /* dies */
  od
}

proctype clock() {
  do
  :: d_step { lease && !HELD && PLANT != 5 -> lease = 0; due = true }
  :: d_step { lease && HELD && purse -> purse--; lease = 0; due = true }    /* frozen */
  od
}

proctype arrivals() {
  do
  :: d_step { data < 2 -> data++;
       if
       :: lease && PLANT != 6 -> lease = 0; due = true
       :: lease && PLANT == 6 -> lease = 0
       :: !lease && judged -> judged = false; due = true
       :: else
       fi }
  :: data == 2 -> break
  od
}

/* SPIN looks for fair runs among endless ones only: without it a standstill would go unseen. */
active proctype time_goes_on() {
  do :: true -> skip od
}

#ifdef LEASE
ltl settled { <> [] (judged && !due && !lease) }
init { atomic { run judge(0); run judge(1); run clock(); run arrivals() } }
#else
ltl acked { <> [] (applied == N && number == N) }
ltl rewinds { [] (rewinding -> <> !rewinding) }
init { atomic { run gateway(); run broker(); run worker(0); run worker(1); run redis() } }
#endif
