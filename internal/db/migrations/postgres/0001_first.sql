-- +goose Up
-- Times are microseconds since 1970 UTC, digests are raw bytes, flags are 0 or 1, lists are JSON.
-- Text that is ordered is ordered by bytes, as Go and SQLite order it.
-- Ids are never used twice: grants and audit events outlive what they name.

CREATE TABLE account (
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        TEXT COLLATE "C" NOT NULL UNIQUE,
  password    TEXT NOT NULL,
  admin       BIGINT NOT NULL,
  created_us  BIGINT NOT NULL,
  disabled_us BIGINT
);

CREATE TABLE session (
  hash       BYTEA PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account ON DELETE CASCADE,
  created_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL
);
CREATE INDEX session_expires ON session (expires_us);

CREATE TABLE setup_link (
  hash       BYTEA PRIMARY KEY,
  created_us BIGINT NOT NULL
);

CREATE TABLE channel (
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        TEXT COLLATE "C" NOT NULL UNIQUE,
  visibility  TEXT NOT NULL,
  description TEXT NOT NULL,
  created_us  BIGINT NOT NULL,
  created_by  TEXT NOT NULL
);

CREATE TABLE member (
  channel_id BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  account_id BIGINT NOT NULL REFERENCES account ON DELETE CASCADE,
  role       TEXT NOT NULL,
  PRIMARY KEY (channel_id, account_id)
);
CREATE INDEX member_account ON member (account_id);

CREATE TABLE api_token (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash         BYTEA NOT NULL UNIQUE,
  hint         TEXT NOT NULL,
  account_id   BIGINT NOT NULL REFERENCES account ON DELETE CASCADE,
  name         TEXT COLLATE "C" NOT NULL,
  scopes       TEXT NOT NULL,
  channel_id   BIGINT REFERENCES channel ON DELETE CASCADE,
  created_us   BIGINT NOT NULL,
  expires_us   BIGINT NOT NULL,
  last_used_us BIGINT,
  revoked_us   BIGINT
);
CREATE INDEX api_token_account ON api_token (account_id);

-- A trusted publisher. *_fold is the ASCII lower case that names are looked up by.
-- Removed ones stay: provenance and audit name them.
CREATE TABLE publisher (
  id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel_id      BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
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
  version         BIGINT NOT NULL,
  created_us      BIGINT NOT NULL,
  created_by      TEXT NOT NULL,
  last_used_us    BIGINT,
  last_run        TEXT,
  removed_us      BIGINT
);
CREATE INDEX publisher_name ON publisher (issuer, repository_fold) WHERE removed_us IS NULL;
CREATE INDEX publisher_repository_id ON publisher (issuer, repository_id) WHERE removed_us IS NULL;
CREATE INDEX publisher_channel ON publisher (channel_id) WHERE removed_us IS NULL;

-- The identity tokens that were exchanged, until they could not be valid any more.
CREATE TABLE spent_token (
  issuer     TEXT NOT NULL,
  replay_key TEXT NOT NULL,
  spent_us   BIGINT NOT NULL,
  until_us   BIGINT NOT NULL,
  run        TEXT NOT NULL,
  PRIMARY KEY (issuer, replay_key)
);
CREATE INDEX spent_token_until ON spent_token (until_us);

-- The last good key set of each issuer, so that a restart during an issuer's outage still works.
CREATE TABLE issuer_keys (
  issuer     TEXT PRIMARY KEY,
  jwks       BYTEA NOT NULL,
  fetched_us BIGINT NOT NULL
);

CREATE TABLE publish_token (
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash        BYTEA NOT NULL UNIQUE,
  created_us  BIGINT NOT NULL,
  expires_us  BIGINT NOT NULL,
  revoked_us  BIGINT,
  revoked_why TEXT NOT NULL,
  run         TEXT NOT NULL
);
CREATE INDEX publish_token_expires ON publish_token (expires_us);

CREATE TABLE publish_grant (
  token_id          BIGINT NOT NULL REFERENCES publish_token ON DELETE CASCADE,
  position          BIGINT NOT NULL,
  publisher_id      BIGINT NOT NULL REFERENCES publisher ON DELETE CASCADE,
  publisher_version BIGINT NOT NULL,
  channel_id        BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  packages          TEXT NOT NULL,
  PRIMARY KEY (token_id, publisher_id)
);

-- One package name of a channel, as lists of packages show it.
CREATE TABLE package (
  channel_id     BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  name           TEXT COLLATE "C" NOT NULL,
  latest_version TEXT COLLATE "C" NOT NULL,
  latest_id      BIGINT NOT NULL,
  summary        TEXT NOT NULL,
  subdirs        TEXT NOT NULL,
  artifacts      BIGINT NOT NULL,
  by_ci          BIGINT NOT NULL,
  bytes          BIGINT NOT NULL,
  updated_us     BIGINT NOT NULL,
  PRIMARY KEY (channel_id, name)
);
CREATE INDEX package_name ON package (name);

-- One package file. provenance is NULL for what came with an API token.
CREATE TABLE artifact (
  id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel_id   BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  subdir       TEXT COLLATE "C" NOT NULL,
  filename     TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  version      TEXT NOT NULL,
  build        TEXT NOT NULL,
  build_number BIGINT NOT NULL,
  sha256       BYTEA NOT NULL,
  md5          BYTEA NOT NULL,
  size         BIGINT NOT NULL,
  timestamp_ms BIGINT NOT NULL,
  depends      TEXT NOT NULL,
  index_json   BYTEA NOT NULL,
  about        TEXT NOT NULL,
  license      TEXT NOT NULL,
  created_us   BIGINT NOT NULL,
  publisher_id BIGINT REFERENCES publisher ON DELETE SET NULL,
  account_id   BIGINT REFERENCES account ON DELETE SET NULL,
  uploader     TEXT NOT NULL,
  provenance   TEXT,
  UNIQUE (channel_id, subdir, filename)
);
CREATE INDEX artifact_name ON artifact (channel_id, name, id);
CREATE INDEX artifact_channel ON artifact (channel_id, id);
CREATE INDEX artifact_sha256 ON artifact (sha256);

-- What the index says of one artifact in one label: encoded once, never again.
CREATE TABLE record (
  channel_id   BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  label        TEXT COLLATE "C" NOT NULL,
  subdir       TEXT COLLATE "C" NOT NULL,
  series       TEXT COLLATE "C" NOT NULL,
  filename     TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  artifact_id  BIGINT NOT NULL REFERENCES artifact ON DELETE CASCADE,
  indexed_us   BIGINT NOT NULL,
  generation   BIGINT NOT NULL,
  member       BYTEA NOT NULL,
  shard_member BYTEA NOT NULL,
  run_exports  BYTEA NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series, filename)
);
CREATE INDEX record_name ON record (channel_id, label, subdir, name, series, filename);
CREATE INDEX record_artifact ON record (artifact_id);

-- A run of neighbouring members of one series, compressed once, as it is served. The lowest piece of a
-- series begins with the empty key, so every key has its piece.
CREATE TABLE piece (
  channel_id BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  label      TEXT COLLATE "C" NOT NULL,
  subdir     TEXT COLLATE "C" NOT NULL,
  series     TEXT COLLATE "C" NOT NULL,
  first_key  TEXT COLLATE "C" NOT NULL,
  generation BIGINT NOT NULL,
  members    BIGINT NOT NULL,
  raw_len    BIGINT NOT NULL,
  block      BYTEA NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series, first_key)
);
CREATE INDEX piece_generation ON piece (channel_id, label, subdir, generation);

-- All records of one package name, as one immutable file. Superseded ones stay for a while, for clients
-- that hold an older shard index.
CREATE TABLE shard (
  channel_id    BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  label         TEXT COLLATE "C" NOT NULL,
  subdir        TEXT COLLATE "C" NOT NULL,
  sha256        BYTEA NOT NULL,
  name          TEXT COLLATE "C" NOT NULL,
  generation    BIGINT NOT NULL,
  bytes         BYTEA NOT NULL,
  superseded_us BIGINT,
  PRIMARY KEY (channel_id, label, subdir, sha256)
);
CREATE UNIQUE INDEX shard_name ON shard (channel_id, label, subdir, name) WHERE superseded_us IS NULL;
CREATE INDEX shard_superseded ON shard (superseded_us) WHERE superseded_us IS NOT NULL;

-- The state of the index of one (channel, label, subdir).
CREATE TABLE generation (
  channel_id   BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  label        TEXT COLLATE "C" NOT NULL,
  subdir       TEXT COLLATE "C" NOT NULL,
  number       BIGINT NOT NULL,
  chain        BYTEA NOT NULL,
  committed_us BIGINT NOT NULL,
  PRIMARY KEY (channel_id, label, subdir)
);

-- The totals of one series at that generation, kept by difference.
CREATE TABLE series (
  channel_id BIGINT NOT NULL REFERENCES channel ON DELETE CASCADE,
  label      TEXT COLLATE "C" NOT NULL,
  subdir     TEXT COLLATE "C" NOT NULL,
  series     TEXT COLLATE "C" NOT NULL,
  pieces     BIGINT NOT NULL,
  members    BIGINT NOT NULL,
  raw_len    BIGINT NOT NULL,
  block_len  BIGINT NOT NULL,
  PRIMARY KEY (channel_id, label, subdir, series)
);

CREATE TABLE event (
  id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at_us      BIGINT NOT NULL,
  kind       TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor      TEXT NOT NULL,
  means      TEXT NOT NULL,
  channel_id BIGINT NOT NULL,
  channel    TEXT NOT NULL,
  subject    TEXT NOT NULL,
  sentence   TEXT NOT NULL,
  code       TEXT NOT NULL,
  facts      TEXT NOT NULL,
  request_id TEXT NOT NULL
);
CREATE INDEX event_channel ON event (channel_id, id);
CREATE INDEX event_kind ON event (channel_id, kind, id);

-- Blocks and shards are compressed already: trying again would only cost time.
ALTER TABLE piece ALTER COLUMN block SET STORAGE EXTERNAL;
ALTER TABLE shard ALTER COLUMN bytes SET STORAGE EXTERNAL;
