-- The bank's book. Amounts are minor units, moments are seconds since 1970, dates are ISO text.
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS account(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, bank_bic TEXT NOT NULL, bank_name TEXT NOT NULL,
  iban TEXT NOT NULL, number TEXT NOT NULL, clearing_system TEXT NOT NULL, clearing_code TEXT NOT NULL,
  currency TEXT NOT NULL, owner_name TEXT NOT NULL, timezone TEXT NOT NULL, channel TEXT NOT NULL,
  statement_format TEXT NOT NULL, credit_line INTEGER NOT NULL, opening INTEGER NOT NULL,
  balance INTEGER NOT NULL, bank_date TEXT NOT NULL, statement_seq INTEGER NOT NULL,
  closed_balance INTEGER NOT NULL, profile TEXT NOT NULL, UNIQUE(name, currency)) STRICT;
CREATE TABLE IF NOT EXISTS incoming(
  id INTEGER PRIMARY KEY, door TEXT NOT NULL, file_name TEXT NOT NULL, sha256 TEXT NOT NULL,
  message_id TEXT NOT NULL, initiator TEXT NOT NULL, verdict TEXT NOT NULL, received_at REAL NOT NULL,
  put_away INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS incoming_by_message ON incoming(initiator, message_id);
CREATE INDEX IF NOT EXISTS incoming_by_file ON incoming(file_name, sha256) WHERE put_away = 0;
CREATE TABLE IF NOT EXISTS payment(
  id INTEGER PRIMARY KEY, incoming_id INTEGER NOT NULL REFERENCES incoming(id),
  debtor_id INTEGER REFERENCES account(id), creditor_id INTEGER REFERENCES account(id),
  payment_information_id TEXT NOT NULL, instruction_id TEXT NOT NULL, end_to_end_id TEXT NOT NULL,
  uetr TEXT NOT NULL, amount INTEGER NOT NULL, amount_text TEXT NOT NULL, currency TEXT NOT NULL,
  debtor_account TEXT NOT NULL, creditor_name TEXT NOT NULL, creditor_account TEXT NOT NULL,
  creditor_bic TEXT NOT NULL, remittance TEXT NOT NULL, rail TEXT NOT NULL, execution_date TEXT NOT NULL,
  business_date TEXT NOT NULL, starts_at REAL NOT NULL, status TEXT NOT NULL, reason_code TEXT NOT NULL,
  reason_text TEXT NOT NULL, reserved INTEGER NOT NULL, faults TEXT NOT NULL, received_at REAL NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS payment_once_per_debtor ON payment(debtor_id, end_to_end_id)
  WHERE status <> 'RJCT';
CREATE INDEX IF NOT EXISTS payment_by_file ON payment(incoming_id);
CREATE INDEX IF NOT EXISTS payment_by_reference ON payment(end_to_end_id);
CREATE INDEX IF NOT EXISTS payment_reserved ON payment(debtor_id) WHERE reserved = 1;
CREATE TABLE IF NOT EXISTS payment_status(
  id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL REFERENCES payment(id), status TEXT NOT NULL,
  reason_code TEXT NOT NULL, at REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS payment_status_by_payment ON payment_status(payment_id);
CREATE TABLE IF NOT EXISTS movement(
  id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES account(id),
  payment_id INTEGER REFERENCES payment(id), leg TEXT NOT NULL, amount INTEGER NOT NULL CHECK(amount <> 0),
  balance_after INTEGER NOT NULL, booked_at REAL NOT NULL, booking_date TEXT NOT NULL, value_date TEXT NOT NULL,
  entry TEXT NOT NULL, statement_id INTEGER) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS movement_once_per_leg ON movement(payment_id, leg) WHERE payment_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS movement_unreported ON movement(account_id, booking_date);
CREATE TABLE IF NOT EXISTS statement(
  id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES account(id), sequence INTEGER NOT NULL,
  bank_date TEXT NOT NULL, opening INTEGER NOT NULL, closing INTEGER NOT NULL, message_id TEXT NOT NULL,
  payload BLOB NOT NULL, UNIQUE(account_id, sequence), UNIQUE(account_id, bank_date)) STRICT;
CREATE TABLE IF NOT EXISTS outgoing(
  n INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL, copy INTEGER NOT NULL, kind TEXT NOT NULL,
  channel TEXT NOT NULL, account TEXT NOT NULL, file_name TEXT NOT NULL, payload BLOB NOT NULL,
  created_at REAL NOT NULL, written INTEGER NOT NULL, UNIQUE(message_id, copy)) STRICT;
CREATE INDEX IF NOT EXISTS outgoing_unwritten ON outgoing(n) WHERE written = 0;
CREATE TABLE IF NOT EXISTS agenda(
  id INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, kind TEXT NOT NULL, ref INTEGER NOT NULL,
  detail TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS agenda_due ON agenda(due_at, id);
CREATE TABLE IF NOT EXISTS receipt(
  idempotency_key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS fault(
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, match TEXT NOT NULL, remaining INTEGER,
  rate REAL, seed INTEGER NOT NULL, parameters TEXT NOT NULL, fired INTEGER NOT NULL) STRICT;
