"""The tables. Times are milliseconds since the epoch; money is in cents; booleans are 0 and 1."""

from __future__ import annotations

_MAIN = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, created_at INTEGER NOT NULL, "
    "updated_at INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0"
)
_TRACKDRIVE = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, created_at INTEGER NOT NULL, "
    "updated_at INTEGER NOT NULL"
)
_TRACKDRIVE_LIMITS = ", ".join(
    f"{kind}_{interval}_limit REAL"
    for kind in ("attempt", "buyer_conversion", "connection", "earned_revenue", "revenue")
    for interval in ("daily", "hourly", "monthly", "total")
)
_OWNED = "id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, owner_id INTEGER NOT NULL"

CALL_COLUMNS = (
    "company_id",
    "uuid",
    "created_at",
    "updated_at",
    "status",
    "caller",
    "caller_zip",
    "caller_state",
    "caller_city",
    "caller_country",
    "dialed_number",
    "number_id",
    "affiliate_id",
    "campaign_id",
    "target_id",
    "target_group_id",
    "sid",
    "start_time",
    "forwarded_time",
    "end_time",
    "ivr_duration",
    "hold_duration",
    "dialed_call_duration",
    "total_duration",
    "billable_minutes",
    "conversion_seconds",
    "revenue",
    "payout",
    "cost",
    "connected",
    "converted",
    "payable",
    "receivable",
    "duplicate",
    "payable_duplicate",
    "receivable_duplicate",
    "repeat",
    "rescued",
    "hung_up_by",
    "via",
    "visitor_url",
    "keys_pressed",
    "tags",
    "recorded",
)

INBOUND_COLUMNS = (
    "company_id",
    "uuid",
    "call_uuid",
    "postback_key_id",
    "caller_number",
    "affiliate_id",
    "campaign_id",
    "target_id",
    "revenue",
    "payout",
    "status",
    "duplicate_order",
    "duplicate_original_uuid",
    "caller_state",
    "caller_city",
    "caller_zip",
    "caller_country",
    "created_at",
    "confirmed_at",
    "ended_at",
    "expires_at",
    "time_to_resolve",
    "fired_pixels_count",
    "fired_pixels_error_count",
    "pbm",
)

TABLES = f"""
CREATE TABLE IF NOT EXISTS companies (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, default_click_url TEXT, default_sale_url TEXT,
  zone TEXT NOT NULL DEFAULT 'UTC', created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS api_keys (
  key TEXT NOT NULL, company_id INTEGER NOT NULL, active INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (key, company_id));
CREATE TABLE IF NOT EXISTS affiliates ({_MAIN},
  afid TEXT NOT NULL, first_name TEXT, last_name TEXT, company_name TEXT);
CREATE TABLE IF NOT EXISTS targets ({_MAIN},
  number TEXT NOT NULL, name TEXT, tid TEXT, sip_username TEXT, sip_password TEXT, cid_number_id INTEGER,
  obfuscate_cid INTEGER NOT NULL DEFAULT 0, object_key TEXT NOT NULL, priority INTEGER NOT NULL DEFAULT 1,
  weight INTEGER NOT NULL DEFAULT 1, timeout_seconds INTEGER NOT NULL DEFAULT 30,
  inband_signals INTEGER NOT NULL DEFAULT 0, timer_offset INTEGER NOT NULL DEFAULT 0, send_digits TEXT,
  concurrency_cap INTEGER, calls_in_progress INTEGER NOT NULL DEFAULT 0, paused_at INTEGER,
  time_zone TEXT NOT NULL DEFAULT 'UTC');
CREATE TABLE IF NOT EXISTS business_hours (
  id INTEGER PRIMARY KEY AUTOINCREMENT, target_id INTEGER NOT NULL, day_of_week INTEGER NOT NULL,
  work_day INTEGER NOT NULL, time_open INTEGER NOT NULL, time_close INTEGER NOT NULL, invert INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS hours_of ON business_hours (target_id);
CREATE TABLE IF NOT EXISTS caps ({_OWNED}, type TEXT NOT NULL, cap INTEGER, filled INTEGER NOT NULL DEFAULT 0,
  period TEXT NOT NULL DEFAULT '', UNIQUE (owner, owner_id, type));
CREATE TABLE IF NOT EXISTS tag_values ({_OWNED}, key TEXT NOT NULL, value TEXT NOT NULL, operator TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS tags_of ON tag_values (owner, owner_id);
CREATE TABLE IF NOT EXISTS target_groups ({_MAIN},
  name TEXT NOT NULL, behavior INTEGER NOT NULL DEFAULT 1, priority INTEGER, weight INTEGER,
  concurrency_cap INTEGER);
CREATE TABLE IF NOT EXISTS group_members (
  group_id INTEGER NOT NULL, target_id INTEGER NOT NULL, PRIMARY KEY (group_id, target_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS groups_of ON group_members (target_id);
CREATE TABLE IF NOT EXISTS conversion_groups (
  id INTEGER PRIMARY KEY AUTOINCREMENT, target_id INTEGER NOT NULL, name TEXT, conversion_type TEXT NOT NULL,
  dedupe_seconds INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS conversions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, seconds INTEGER NOT NULL, revenue REAL NOT NULL);
CREATE TABLE IF NOT EXISTS campaigns ({_MAIN},
  cid TEXT NOT NULL, name TEXT, dedupe_seconds INTEGER NOT NULL DEFAULT 0,
  affiliate_can_pull_number INTEGER NOT NULL DEFAULT 0, record_calls INTEGER NOT NULL DEFAULT 1,
  record_seconds INTEGER NOT NULL DEFAULT 3600, show_key TEXT NOT NULL, message TEXT, voice_gender TEXT,
  repeat INTEGER NOT NULL DEFAULT 4, audio_name TEXT, audio_size INTEGER, audio_updated_at INTEGER);
CREATE TABLE IF NOT EXISTS timers ({_OWNED}, seconds INTEGER NOT NULL, url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS menu_options ({_OWNED}, option TEXT NOT NULL, target_number TEXT, target_cid TEXT);
CREATE TABLE IF NOT EXISTS numbers ({_MAIN},
  number TEXT NOT NULL, name TEXT, type TEXT NOT NULL, country TEXT NOT NULL DEFAULT 'US', sid TEXT,
  affiliate_id INTEGER, campaign_id INTEGER NOT NULL, pool_id INTEGER, message TEXT, voice_gender TEXT,
  repeat INTEGER NOT NULL DEFAULT 4, audio_name TEXT, audio_size INTEGER, audio_updated_at INTEGER);
CREATE INDEX IF NOT EXISTS numbers_of ON numbers (company_id, campaign_id);
CREATE TABLE IF NOT EXISTS number_pools ({_MAIN},
  campaign_id INTEGER NOT NULL, affiliate_id INTEGER, type TEXT NOT NULL DEFAULT 'Toll-free',
  country TEXT NOT NULL DEFAULT 'US', max_pool_size INTEGER NOT NULL DEFAULT 10,
  buffer_seconds INTEGER NOT NULL DEFAULT 0, reserve_size INTEGER NOT NULL DEFAULT 1,
  hide_embedded_access INTEGER NOT NULL DEFAULT 0, google_analytics INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS contacts ({_MAIN});
CREATE TABLE IF NOT EXISTS contact_numbers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, contact_id INTEGER NOT NULL,
  number TEXT NOT NULL, description TEXT, UNIQUE (company_id, number));
CREATE TABLE IF NOT EXISTS suppressed_numbers ({_MAIN},
  number TEXT NOT NULL, can_resubscribe INTEGER NOT NULL DEFAULT 1, campaign_id INTEGER, affiliate_id INTEGER);
CREATE INDEX IF NOT EXISTS suppressed_by_number ON suppressed_numbers (company_id, number);
CREATE TABLE IF NOT EXISTS static_caller_numbers ({_MAIN}, number TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS postback_keys (
  key TEXT PRIMARY KEY, secret TEXT NOT NULL, company_id INTEGER NOT NULL, owner TEXT NOT NULL,
  owner_id INTEGER NOT NULL, permissions TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rtb_keys (
  key TEXT PRIMARY KEY, type TEXT NOT NULL, company_id INTEGER NOT NULL, campaign_id INTEGER,
  ttl_seconds INTEGER NOT NULL DEFAULT 60, needs_caller INTEGER NOT NULL DEFAULT 1, inbound_number TEXT,
  storage_seconds INTEGER NOT NULL DEFAULT 86400, cut_off_seconds INTEGER, paused INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS stored_tags (
  id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, call_uuid TEXT, caller TEXT,
  tags TEXT NOT NULL, stored_at INTEGER NOT NULL, expires_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS stored_tags_of ON stored_tags (company_id, call_uuid);
CREATE INDEX IF NOT EXISTS stored_tags_of_caller ON stored_tags (company_id, caller);
CREATE TABLE IF NOT EXISTS reservations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, key TEXT NOT NULL, company_id INTEGER NOT NULL,
  publisher_id TEXT, caller TEXT, inbound_number TEXT, target_id INTEGER, payout REAL, seconds INTEGER,
  tags TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, confirmed_at INTEGER);
CREATE INDEX IF NOT EXISTS reservations_of ON reservations (key, caller);
CREATE TABLE IF NOT EXISTS payout_tables ({_MAIN},
  campaign_id INTEGER NOT NULL, table_version TEXT, active INTEGER NOT NULL DEFAULT 0, salt TEXT NOT NULL,
  csv_data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS payout_tables_of ON payout_tables (company_id, campaign_id);
CREATE TABLE IF NOT EXISTS rtb_inbounds (id INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(INBOUND_COLUMNS)});
CREATE INDEX IF NOT EXISTS inbounds_created ON rtb_inbounds (company_id, created_at);
CREATE INDEX IF NOT EXISTS inbounds_of ON rtb_inbounds (uuid);
CREATE INDEX IF NOT EXISTS inbounds_living ON rtb_inbounds (expires_at) WHERE status = 'reserved';
CREATE TABLE IF NOT EXISTS exports (
  id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER NOT NULL, params TEXT NOT NULL, errors TEXT NOT NULL,
  outcome TEXT NOT NULL, publisher_label TEXT NOT NULL, token TEXT NOT NULL, created_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL, count INTEGER, file BLOB);
CREATE TABLE IF NOT EXISTS caller_lists ({_OWNED}, company_id INTEGER NOT NULL, name TEXT NOT NULL,
  created_at INTEGER NOT NULL, UNIQUE (owner, owner_id, name));
CREATE TABLE IF NOT EXISTS caller_list_numbers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, list_id INTEGER NOT NULL, number TEXT NOT NULL,
  created_at INTEGER NOT NULL, UNIQUE (list_id, number));
CREATE TABLE IF NOT EXISTS caller_list_uploads (
  id INTEGER PRIMARY KEY AUTOINCREMENT, list_id INTEGER NOT NULL, action TEXT NOT NULL,
  clear_before_upload INTEGER NOT NULL, numbers TEXT NOT NULL, csv_key TEXT NOT NULL,
  created_at INTEGER NOT NULL, due_at INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS trackdrive_buyers ({_TRACKDRIVE},
  user_buyer_id TEXT UNIQUE, number TEXT, paused INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS trackdrive_offers ({_TRACKDRIVE});
CREATE TABLE IF NOT EXISTS trackdrive_groups ({_TRACKDRIVE}, uuid TEXT NOT NULL, user_updated_at INTEGER,
  deleted_at INTEGER, external_record_id TEXT, concurrency_cap_limit INTEGER,
  concurrency_cap_used INTEGER NOT NULL DEFAULT 0, weight REAL NOT NULL DEFAULT 1, tier REAL NOT NULL DEFAULT 1,
  time_zone TEXT NOT NULL DEFAULT 'UTC', paused INTEGER NOT NULL DEFAULT 0, paused_at INTEGER,
  unpaused_at INTEGER, dial_buyers_type TEXT NOT NULL DEFAULT 'sequentially', cap_reset_at INTEGER,
  generate_team INTEGER NOT NULL DEFAULT 0, team_offer_ids TEXT NOT NULL DEFAULT '[]', {_TRACKDRIVE_LIMITS});
CREATE TABLE IF NOT EXISTS trackdrive_members (
  id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, buyer_id INTEGER NOT NULL,
  UNIQUE (group_id, buyer_id));
CREATE TABLE IF NOT EXISTS trackdrive_used (
  group_id INTEGER NOT NULL, kind TEXT NOT NULL, interval TEXT NOT NULL, period TEXT NOT NULL, used REAL NOT NULL,
  PRIMARY KEY (group_id, kind, interval));
CREATE TABLE IF NOT EXISTS trackdrive_invitations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, email TEXT NOT NULL, sent_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, {", ".join(CALL_COLUMNS)});
CREATE UNIQUE INDEX IF NOT EXISTS calls_uuid ON calls (uuid);
"""

# Lists of calls are read in the order of these indexes; each filter has one.
CALL_INDEXES = {
    "calls_created": "company_id, created_at",
    "calls_updated": "company_id, updated_at",
    "calls_caller": "company_id, caller, created_at",
    "calls_target": "company_id, target_id, created_at",
    "calls_affiliate": "company_id, affiliate_id, created_at",
    "calls_campaign": "company_id, campaign_id, created_at",
    "calls_sid": "company_id, sid, created_at",
}
