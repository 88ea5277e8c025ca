-- +goose Up
-- Times are microseconds since 1970 UTC, digests are raw bytes, flags are 0 or 1, lists are JSON.
-- Ids are never used twice: grants and audit events outlive what they name.

CREATE TABLE account (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  password    TEXT NOT NULL,
  admin       INTEGER NOT NULL,
  created_us  INTEGER NOT NULL,
  disabled_us INTEGER
) STRICT;

CREATE TABLE session (
  hash       BLOB PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
) STRICT;
CREATE INDEX session_expires ON session (expires_us);

CREATE TABLE setup_link (
  hash       BLOB PRIMARY KEY,
  created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE channel (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  visibility  TEXT NOT NULL,
  description TEXT NOT NULL,
  created_us  INTEGER NOT NULL,
  created_by  TEXT NOT NULL
) STRICT;

CREATE TABLE member (
  channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  role       TEXT NOT NULL,
  PRIMARY KEY (channel_id, account_id)
) STRICT;
CREATE INDEX member_account ON member (account_id);

CREATE TABLE api_token (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  hash         BLOB NOT NULL UNIQUE,
  hint         TEXT NOT NULL,
  account_id   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
  name         TEXT NOT NULL,
  scopes       TEXT NOT NULL,
  channel_id   INTEGER REFERENCES channel ON DELETE CASCADE,
  created_us   INTEGER NOT NULL,
  expires_us   INTEGER NOT NULL,
  last_used_us INTEGER,
  revoked_us   INTEGER
) STRICT;
CREATE INDEX api_token_account ON api_token (account_id);

-- A trusted publisher. *_fold is the ASCII lower case that names are looked up by.
-- Removed ones stay: provenance and audit name them.
CREATE TABLE publisher (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  channel_id      INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  provider        TEXT NOT NULL,
  issuer          TEXT NOT NULL,
  owner           TEXT NOT NULL,
  repository      TEXT NOT NULL,
  repository_fold TEXT NOT NULL,
  workflow        TEXT NOT NULL,
  environment     TEXT NOT NULL,
  packages        TEXT NOT NULL,
  owner_id        TEXT,
  repository_id   TEXT,
  version         INTEGER NOT NULL,
  created_us      INTEGER NOT NULL,
  created_by      TEXT NOT NULL,
  last_used_us    INTEGER,
  last_run        TEXT,
  removed_us      INTEGER
) STRICT;
CREATE INDEX publisher_name ON publisher (issuer, repository_fold) WHERE removed_us IS NULL;
CREATE INDEX publisher_repository_id ON publisher (issuer, repository_id) WHERE removed_us IS NULL;
CREATE INDEX publisher_channel ON publisher (channel_id) WHERE removed_us IS NULL;

-- The identity tokens that were exchanged, until they could not be valid any more.
CREATE TABLE spent_token (
  issuer     TEXT NOT NULL,
  replay_key TEXT NOT NULL,
  spent_us   INTEGER NOT NULL,
  until_us   INTEGER NOT NULL,
  run        TEXT NOT NULL,
  PRIMARY KEY (issuer, replay_key)
) STRICT;
CREATE INDEX spent_token_until ON spent_token (until_us);

-- The last good key set of each issuer, so that a restart during an issuer's outage still works.
CREATE TABLE issuer_keys (
  issuer     TEXT PRIMARY KEY,
  jwks       BLOB NOT NULL,
  fetched_us INTEGER NOT NULL
) STRICT;

CREATE TABLE publish_token (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  hash        BLOB NOT NULL UNIQUE,
  created_us  INTEGER NOT NULL,
  expires_us  INTEGER NOT NULL,
  revoked_us  INTEGER,
  revoked_why TEXT NOT NULL,
  run         TEXT NOT NULL
) STRICT;
CREATE INDEX publish_token_expires ON publish_token (expires_us);

CREATE TABLE publish_grant (
  token_id          INTEGER NOT NULL REFERENCES publish_token ON DELETE CASCADE,
  position          INTEGER NOT NULL,
  publisher_id      INTEGER NOT NULL REFERENCES publisher ON DELETE CASCADE,
  publisher_version INTEGER NOT NULL,
  channel_id        INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  packages          TEXT NOT NULL,
  PRIMARY KEY (token_id, publisher_id)
) STRICT;

-- One package name of a channel, as lists of packages show it.
CREATE TABLE package (
  channel_id     INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  name           TEXT NOT NULL,
  latest_version TEXT NOT NULL,
  latest_id      INTEGER NOT NULL,
  summary        TEXT NOT NULL,
  subdirs        TEXT NOT NULL,
  artifacts      INTEGER NOT NULL,
  by_ci          INTEGER NOT NULL,
  bytes          INTEGER NOT NULL,
  updated_us     INTEGER NOT NULL,
  PRIMARY KEY (channel_id, name)
) STRICT;
CREATE INDEX package_name ON package (name);

-- One package file. provenance is NULL for what came with an API token.
CREATE TABLE artifact (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  channel_id   INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  subdir       TEXT NOT NULL,
  filename     TEXT NOT NULL,
  name         TEXT NOT NULL,
  version      TEXT NOT NULL,
  build        TEXT NOT NULL,
  build_number INTEGER NOT NULL,
  sha256       BLOB NOT NULL,
  md5          BLOB NOT NULL,
  size         INTEGER NOT NULL,
  timestamp_ms INTEGER NOT NULL,
  depends      TEXT NOT NULL,
  index_json   BLOB NOT NULL,
  about        TEXT NOT NULL,
  license      TEXT NOT NULL,
  created_us   INTEGER NOT NULL,
  publisher_id INTEGER REFERENCES publisher ON DELETE SET NULL,
  account_id   INTEGER REFERENCES account ON DELETE SET NULL,
  uploader     TEXT NOT NULL,
  provenance   TEXT,
  UNIQUE (channel_id, subdir, filename)
) STRICT;
CREATE INDEX artifact_name ON artifact (channel_id, name, id);
CREATE INDEX artifact_channel ON artifact (channel_id, id);
CREATE INDEX artifact_sha256 ON artifact (sha256);

-- What the index says of one artifact in one label: encoded once, never again.
CREATE TABLE record (
  channel_id   INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label        TEXT NOT NULL,
  subdir       TEXT NOT NULL,
  series       TEXT NOT NULL,
  filename     TEXT NOT NULL,
  name         TEXT NOT NULL,
  artifact_id  INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE,
  indexed_us   INTEGER NOT NULL,
  generation   INTEGER NOT NULL,
  member       BLOB NOT NULL,
  shard_member BLOB NOT NULL,
  run_exports  BLOB NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series, filename)
) STRICT;
CREATE INDEX record_name ON record (channel_id, label, subdir, name, series, filename);
CREATE INDEX record_artifact ON record (artifact_id);

-- A run of neighbouring members of one series, compressed once, as it is served. The lowest piece of a
-- series begins with the empty key, so every key has its piece.
CREATE TABLE piece (
  channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label      TEXT NOT NULL,
  subdir     TEXT NOT NULL,
  series     TEXT NOT NULL,
  first_key  TEXT NOT NULL,
  generation INTEGER NOT NULL,
  members    INTEGER NOT NULL,
  raw_len    INTEGER NOT NULL,
  block      BLOB NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series, first_key)
) STRICT;
CREATE INDEX piece_generation ON piece (channel_id, label, subdir, generation);

-- All records of one package name, as one immutable file. Superseded ones stay for a while, for clients
-- that hold an older shard index.
CREATE TABLE shard (
  channel_id    INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label         TEXT NOT NULL,
  subdir        TEXT NOT NULL,
  sha256        BLOB NOT NULL,
  name          TEXT NOT NULL,
  generation    INTEGER NOT NULL,
  bytes         BLOB NOT NULL,
  superseded_us INTEGER,
  PRIMARY KEY (channel_id, label, subdir, sha256)
) STRICT;
CREATE UNIQUE INDEX shard_name ON shard (channel_id, label, subdir, name) WHERE superseded_us IS NULL;
CREATE INDEX shard_superseded ON shard (superseded_us) WHERE superseded_us IS NOT NULL;

-- The state of the index of one (channel, label, subdir).
CREATE TABLE generation (
  channel_id   INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label        TEXT NOT NULL,
  subdir       TEXT NOT NULL,
  number       INTEGER NOT NULL,
  chain        BLOB NOT NULL,
  committed_us INTEGER NOT NULL,
  PRIMARY KEY (channel_id, label, subdir)
) STRICT;

-- The totals of one series at that generation, kept by difference.
CREATE TABLE series (
  channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,
  label      TEXT NOT NULL,
  subdir     TEXT NOT NULL,
  series     TEXT NOT NULL,
  pieces     INTEGER NOT NULL,
  members    INTEGER NOT NULL,
  raw_len    INTEGER NOT NULL,
  block_len  INTEGER NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series)
) STRICT;

CREATE TABLE event (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us      INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor      TEXT NOT NULL,
  means      TEXT NOT NULL,
  channel_id INTEGER NOT NULL,
  channel    TEXT NOT NULL,
  subject    TEXT NOT NULL,
  sentence   TEXT NOT NULL,
  code       TEXT NOT NULL,
  facts      TEXT NOT NULL,
  request_id TEXT NOT NULL
) STRICT;
CREATE INDEX event_channel ON event (channel_id, id);
CREATE INDEX event_kind ON event (channel_id, kind, id);
