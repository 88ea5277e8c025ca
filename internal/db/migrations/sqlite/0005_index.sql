-- +goose Up
-- What an artifact is to readers, beside its bytes. listed counts the labels that list it: none, and it is held.
-- yanked_us hides it from solvers, deleted_us from everybody until it is restored or purged; a purged one has no
-- bytes any more, but its name stays taken. patch lies over the record that the package brings.
ALTER TABLE artifact ADD COLUMN listed INTEGER NOT NULL DEFAULT 1;
ALTER TABLE artifact ADD COLUMN yanked_us INTEGER;
ALTER TABLE artifact ADD COLUMN yanked_by TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN yanked_why TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN deleted_us INTEGER;
ALTER TABLE artifact ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN deleted_why TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN purged_us INTEGER;
ALTER TABLE artifact ADD COLUMN schema_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE artifact ADD COLUMN run_exports TEXT NOT NULL DEFAULT '{}';
ALTER TABLE artifact ADD COLUMN traits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE artifact ADD COLUMN patch TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN source TEXT NOT NULL DEFAULT '';
-- What a run is found by when all that it published is taken back.
ALTER TABLE artifact ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact ADD COLUMN ref TEXT NOT NULL DEFAULT '';
UPDATE artifact SET run = coalesce(json_extract(provenance, '$.run_id'), ''), ref = coalesce(json_extract(provenance, '$.ref'), '') WHERE provenance IS NOT NULL;
CREATE INDEX artifact_run ON artifact (channel_id, run) WHERE run <> '';
CREATE INDEX artifact_deleted ON artifact (deleted_us) WHERE deleted_us IS NOT NULL AND purged_us IS NULL;

-- The bytes of an artifact that was replaced or purged, until they are looked at and removed.
CREATE TABLE doubt (
  sha256 BLOB NOT NULL PRIMARY KEY,
  at_us  INTEGER NOT NULL
) STRICT;

ALTER TABLE channel ADD COLUMN replaceable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN refuse_v3 INTEGER NOT NULL DEFAULT 0;

-- shown: 0 not, 1 among the packages, 2 by its name among the removed. taken_out: the label lists it no more, and
-- remembers since when it did.
ALTER TABLE record ADD COLUMN shown INTEGER NOT NULL DEFAULT 1;
ALTER TABLE record ADD COLUMN taken_out INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_removed ON record (channel_id, label, subdir, filename) WHERE shown = 2;

-- A run of neighbouring members of one series. Its block stands in a table of its own, for it stays a while when
-- the piece is made anew: whoever is in the middle of an older generation reads on. The lowest piece of a series
-- begins with the empty key, so every key has its piece.
CREATE TABLE block (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  bytes      BLOB NOT NULL
) STRICT;
CREATE TABLE dropped_block (
  id    INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX dropped_block_at ON dropped_block (at_us);

DROP INDEX piece_generation;
ALTER TABLE piece RENAME TO piece_0004;
CREATE TABLE piece (
  channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label      TEXT NOT NULL,
  subdir     TEXT NOT NULL,
  series     TEXT NOT NULL,
  first_key  TEXT NOT NULL,
  generation INTEGER NOT NULL,
  members    INTEGER NOT NULL,
  raw_len    INTEGER NOT NULL,
  block_len  INTEGER NOT NULL,
  block_id   INTEGER NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series, first_key)
) STRICT;
INSERT INTO block (id, channel_id, bytes) SELECT rowid, channel_id, block FROM piece_0004;
INSERT INTO piece SELECT channel_id, label, subdir, series, first_key, generation, members, raw_len, length(block), rowid FROM piece_0004;
DROP TABLE piece_0004;
CREATE INDEX piece_generation ON piece (channel_id, label, subdir, generation);

-- One name's member of a label's channeldata.json; stale when the name changed since it was made.
CREATE TABLE channeldata (
  channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label      TEXT NOT NULL,
  name       TEXT NOT NULL,
  stale      INTEGER NOT NULL,
  member     BLOB NOT NULL,
  PRIMARY KEY (channel_id, label, name)
) STRICT;
CREATE INDEX channeldata_stale ON channeldata (channel_id, label, name) WHERE stale = 1;
INSERT INTO channeldata (channel_id, label, name, stale, member) SELECT DISTINCT channel_id, label, name, 1, x'' FROM record;
