-- +goose Up
-- The trusted roots of the instances of sigstore: a row is a time in which an instance had that root, number counts those of
-- an instance. source is where it came from: program, tuf or file. replaced_us is NULL for the one in use.
CREATE TABLE trusted_root (
  instance    TEXT NOT NULL,
  number      INTEGER NOT NULL,
  sha256      BLOB NOT NULL,
  root        BLOB NOT NULL,
  source      TEXT NOT NULL,
  used_us     INTEGER NOT NULL,
  replaced_us INTEGER,
  PRIMARY KEY (instance, number)
) STRICT;
CREATE INDEX trusted_root_sha256 ON trusted_root (sha256);
-- What a TUF repository has told last: its signed metadata by file name, as JSON. version rises with every change;
-- checked_us is when it was last asked with success, valid_us until when what it said then holds.
CREATE TABLE tuf_repository (
  address    TEXT NOT NULL PRIMARY KEY,
  version    INTEGER NOT NULL,
  metadata   TEXT NOT NULL,
  checked_us INTEGER,
  valid_us   INTEGER
) STRICT;
-- The second look at the attestations of an instance whose root was replaced: artifacts up to after_id are done; NULL: all.
-- busy_us is until when one server has it to itself.
CREATE TABLE second_look (
  instance TEXT NOT NULL PRIMARY KEY,
  sha256   BLOB NOT NULL,
  after_id INTEGER,
  busy_us  INTEGER NOT NULL
) STRICT;
-- What a second look found, as JSON; empty: nothing. The verdict stays.
ALTER TABLE attestation ADD COLUMN no_longer_trusted TEXT NOT NULL DEFAULT '';
