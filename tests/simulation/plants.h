#pragma once
// Bugs planted on request into the simulation's own parts, to prove that it would find them. None
// of them touches the code under test.

enum plant {
    PLANT_NONE,
    PLANT_ACK_BEFORE_REPLY,     // worker: tell the core that a call was done when it was sent
    PLANT_SKIP_ORDER,           // store: apply what does not follow the position
    PLANT_OLD_SESSION,          // gateway: believe answers of older sessions
    PLANT_FORGET_REQUEUE,       // broker: a batch taken back from a worker is never sent again
    PLANT_NO_LEASE,             // store: settle without looking at the lease
    PLANT_ADD_WITHOUT_SUBTRACT, // store: cells += new
    PLANT_MAX_WATERMARK,        // store: the fastest gateway counts, not the slowest
    PLANT_DELETE_CONTRIBUTION,  // store: a final encounter is deleted, the mark stays
    PLANT_SEND_BEFORE_COMMIT,   // gateway: send what is not on disk yet
    PLANT_TRIM_ON_ANSWER,       // gateway: delete what is acknowledged
    PLANT_BLIND_EPOCH,          // store: take whatever epoch a spool shows
    PLANT_DRIVER_RESTART,       // gateway: after a restart, read the recording from its start
    PLANT_SKIP_CHAIN,    // store: apply what follows the position's number, whatever batch that is
    PLANT_DEAF_FINAL,    // store: a decision about a final encounter is kept, not judged
    PLANT_REBUILD_KEEPS, // store: a rebuild leaves in the cells what it removes
    PLANT_HASTY_SEAL,    // store: a day is sealed although more of it may come
    PLANT_FULL_IS_STUCK, // store: at twice its bytes nobody goes on, whatever would make room
    PLANT_SILENT_GAP,    // worker: lost numbers are counted, but no gap says which
    PLANT_NOT_RESERVED,  // worker: does not say that other brokers share it
    PLANT_CLOCK_BACK,    // store: what a clock that was ahead has put off waits until then
    PLANT_NO_SIZE,       // broker: batches are held as if they had no bytes
    PLANT_DEAF_DISK,     // gateway: what the disk refused is taken for written
    PLANT_CURSOR_ALONE,  // gateway: the cursor is kept, though what was read up to it was refused
    PLANT_UNCOUNTED,     // store: who takes an encounter and dies does not count
    PLANT_COMPANY,       // store: what is taken again is taken with others
    PLANT_DEAF_RETURN,   // store: a lease that is given back counts as a death
    PLANT_OWN_CLOCK,     // worker: what lies in the future is told by a clock that is ahead
    PLANT_SILENT_FUTURE, // worker: what lies in the future is left out, and nobody counts it
    PLANT_PADDED,        // network: what is cut off arrives as zeroes
    PLANT_DROPPED_TWICE, // gateway: what was dropped under way and applied all the same is dropped
    PLANT_COUNT
};

const char *plant_name(enum plant plant);
