/* Two spools of one gateway (the second is a clone that was renewed, or a replacement); either may
 * once be put back from a copy, and then has other batches under its numbers -> lossy, duplicating,
 * reordering network -> workers -> store with an asynchronous replica and one failover. Sessions are
 * echoed, tags are a chain, spools show their epochs.
 *
 * Proved for two batches and up to two sessions a spool:
 *   done   what a gateway believes in a session that began after the failover is so
 *   order  a batch is applied only behind the one that its spool has before it, and only of the spool
 *          that has the epoch: also after a failover that lost the grant of an epoch, when two spools
 *          hold it; also while batches are under way from before a spool was put back
 *   epoch  the store's epoch goes back by nothing but the failover
 *   lease  a judgement is accepted only if it saw all data that the store has
 *
 * -DPLANT=1 any session is believed   2 any epoch is taken   3 the order is not checked
 *        4 settling ignores the lease   5 what a batch follows is not looked at */
#ifndef PLANT
#define PLANT 0
#endif
#define N 2
#define SESSIONS 2
#define SPOOLS 2

mtype = { ASK, DATA };
chan net = [1] of { mtype, byte, byte, byte, byte, byte }; /* spool, session, epoch, number, mark */
chan answers = [1] of { byte, byte, byte, byte, byte, bool }; /* spool, session, position, fenced */

/* The store, and its replica: epoch, owner (spool + 1), number, mark of that batch. */
byte epoch, owner, number, tag;
byte r_epoch, r_owner, r_number, r_tag;
bool failed;

/* The spools as their gateways see them. */
byte g_epoch[SPOOLS], g_session[SPOOLS], g_applied[SPOOLS];
bool g_asking[SPOOLS], g_stopped[SPOOLS], g_fresh[SPOOLS], g_back[SPOOLS];

/* With which its tags end: other ones, once it was put back. */
#define MARK(g) (2 * (g) + 1 + g_back[g])

/* An encounter: how much data it has, the lease that stands, what a judgement saw. */
byte data, lease;

inline believe(e, n, t, f) {
  if
  :: f || (g_epoch[g] && e > g_epoch[g]) -> g_stopped[g] = true
  :: !f && (e == 0 || (g_epoch[g] && e < g_epoch[g])) -> skip /* not about this spool: asks again */
  :: else ->
     if :: !g_epoch[g] -> g_epoch[g] = e :: else fi;
     if :: n && t != MARK(g) -> g_stopped[g] = true          /* somebody else's batch */
        :: else -> g_applied[g] = n; g_asking[g] = false
     fi
  fi
}

proctype gateway(byte g) {
  byte s, e, n, t; bool f;
  do
  :: g_stopped[g] -> break
  :: atomic { !g_stopped[g] && g_session[g] < SESSIONS && nfull(net) ->
       g_session[g]++; g_asking[g] = true; g_fresh[g] = failed;
       net!ASK(g, g_session[g], g_epoch[g], 0, 0) }
  :: atomic { !g_stopped[g] && !g_back[g] && g_session[g] && g_session[g] < SESSIONS && nfull(net) ->
       g_back[g] = true; g_applied[g] = 0;
       g_session[g]++; g_asking[g] = true; g_fresh[g] = failed;
       net!ASK(g, g_session[g], g_epoch[g], 0, 0) }
  :: atomic { !g_stopped[g] && g_session[g] && !g_asking[g] && g_applied[g] < N && nfull(net) ->
       n = g_applied[g] + 1;
       if :: skip :: n < N -> n++ fi;                        /* the window allows more than one */
       net!DATA(g, g_session[g], g_epoch[g], n, MARK(g)); n = 0 }
  :: atomic { answers??eval(g), s, e, n, t, f ->
       if :: g_stopped[g] || (s != g_session[g] && PLANT != 1) -> skip
          :: else -> believe(e, n, t, f)
       fi;
       s = 0; e = 0; n = 0; t = 0; f = false }
  od
}

inline grant(to) {
  assert(to > epoch);
  epoch = to; owner = g + 1; number = 0; tag = 0
}

inline serve() {
  f = false;
  if
  :: what == ASK && e == 0 && (epoch == 0 || owner != g + 1) -> grant(epoch + 1)
  :: what == ASK && (e > epoch || (PLANT == 2 && e && e != epoch)) -> grant(e)
  :: what == ASK && e && (e < epoch || owner != g + 1) -> f = true
  :: what == DATA && e == epoch && (n == number + 1 || (PLANT == 3 && n > number)) &&
     ((number -> tag == m : owner == g + 1) || PLANT == 5) ->
     assert(owner == g + 1 && n == number + 1 && (!number || tag == m));
     number = n; tag = m
  :: else -> f = (what == DATA && e < epoch)
  fi;
  if :: nfull(answers) -> answers!g, s, epoch, number, tag, f
     :: skip                                                 /* lost, or too late to matter */
  fi;
  g = 0; s = 0; e = 0; n = 0; m = 0; what = 0; f = false
}

/* Each call is atomic, so that one worker stands for many. */
active proctype worker() {
  mtype what; byte g, s, e, n, m; bool f;
  do
  :: atomic { net?what, g, s, e, n, m -> serve() }
  :: atomic { net?<what, g, s, e, n, m> -> serve() }         /* it comes once more */
  :: atomic { net?what, g, s, e, n, m -> what = 0; g = 0; s = 0; e = 0; n = 0; m = 0 } /* lost */
  od
}

active proctype replica() {
  do
  :: d_step { !failed && (r_epoch != epoch || r_number != number) ->
       r_epoch = epoch; r_owner = owner; r_number = number; r_tag = tag }
  :: d_step { !failed -> failed = true;
       epoch = r_epoch; owner = r_owner; number = r_number; tag = r_tag } ; break
  od
}

#define BELIEVES(g) (g_applied[g] == N && !g_asking[g] && !g_stopped[g] && \
                     g_fresh[g] == failed && g_epoch[g] == epoch)
#define APPLIED(g) (number == N && tag == MARK(g))
ltl done { [] ((BELIEVES(0) -> APPLIED(0)) && (BELIEVES(1) -> APPLIED(1))) }

/* Judging: data may come at any moment; a lease is taken, what it saw is judged, and handed in. */
proctype arrivals() {
  do :: d_step { data < 3 -> data++; lease = 0 } :: data == 3 -> break od
}

byte leases;
proctype judge() {
  byte mine, saw;
  do
  :: d_step { leases < 5 -> leases++; lease = leases; mine = leases; saw = data }
  :: d_step { mine && (lease == mine || PLANT == 4) ->
       assert(saw == data); lease = 0; mine = 0; saw = 0 }
  :: d_step { mine && lease != mine -> mine = 0; saw = 0 }    /* stale: nothing is changed */
  :: leases == 5 && !mine -> break
  od
}

init {
#ifdef LEASE
  atomic { run arrivals(); run judge(); run judge() }
#else
  atomic { run gateway(0); run gateway(1) }
#endif
}
