#pragma once
// Spools that programs of schema 1 wrote, as SQLite dumped them: epoch 3, 6 batches of empty bodies.

#define SCHEMA_1                                                                                   \
    "PRAGMA application_id = 1414681424; PRAGMA user_version = 1;"                                 \
    "CREATE TABLE batch(number INTEGER PRIMARY KEY, tag BLOB NOT NULL, from_ms INTEGER NOT NULL,"  \
    " to_ms INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"              \
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), value BLOB NOT NULL,"              \
    " checksum INTEGER NOT NULL) STRICT;"                                                          \
    "CREATE TABLE cursor(driver TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL)" \
    " STRICT, WITHOUT ROWID;"                                                                      \
    "CREATE TABLE applied(run_ms INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT;"            \
    "INSERT INTO cursor VALUES('tracks',X'0102',1726952316);"

// Of the first program: tags are random throughout, none is applied, all are held.
static const char first_program[] = SCHEMA_1
    "INSERT INTO batch VALUES(1,X'f936ad6f40e0929e',1000,2000,666974724,X'80');"
    "INSERT INTO batch VALUES(2,X'0f2b89a528c0c904',2000,3000,1030692886,X'80');"
    "INSERT INTO batch VALUES(3,X'ffd76c0747862b62',3000,4000,2302338592,X'80');"
    "INSERT INTO batch VALUES(4,X'b802f721cf6996a2',4000,5000,2451548072,X'80');"
    "INSERT INTO batch VALUES(5,X'5ebed31a6025613d',5000,6000,1289629264,X'80');"
    "INSERT INTO batch VALUES(6,X'2c512ead18eecb53',6000,7000,3819170745,X'80');"
    "INSERT INTO state VALUES(1,X'04a27e7e1b374a996ef90d5066ce3f6c030000000000000000060000000"
    "0000000000000000000000000000000000000000000000100000000581b00000000000063000000000000000"
    "00000000000000000',2458386852);";

// Of the last one: 1 and 2 have outlived the retention, 3 and 4 are applied.
static const char half_applied[] = SCHEMA_1
    "INSERT INTO batch VALUES(3,X'f97f1c0a38643b7a',3000,4000,3074884932,X'80');"
    "INSERT INTO batch VALUES(4,X'f97f1c0a4df52f56',4000,5000,4043092827,X'80');"
    "INSERT INTO batch VALUES(5,X'f97f1c0afa0aebcd',5000,6000,4201016181,X'80');"
    "INSERT INTO batch VALUES(6,X'f97f1c0a42e59e7d',6000,7000,1260627138,X'80');"
    "INSERT INTO state VALUES(1,X'f97f1c0a76d564971816721957b0ba18030000000000000000060000000"
    "0000000040000000000000000000000000000000000000000000000000000000000008000000000000000800"
    "000000100000000581b000000000000630000000000000000a855020000000000',1128955050);"
    "INSERT INTO applied VALUES(1000,2);"
    "INSERT INTO applied VALUES(151000,2);"
    "INSERT INTO applied VALUES(153000,4);";

// Of the last one: all are applied and have outlived the retention.
static const char all_gone[] = SCHEMA_1
    "INSERT INTO state VALUES(1,X'77d0096ea81fbbb606ee55eaf524a173030000000000000000060000000"
    "0000000060000000000000000000000000000000000000000000000000000000000008000000000000000800"
    "000000100000000581b000000000000630000000000000000d84d020000000000',4135688734);"
    "INSERT INTO applied VALUES(1000,6);"
    "INSERT INTO applied VALUES(151000,6);";
