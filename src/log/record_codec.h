// Records as rows of the table `records`: the columns that queries want, and a compact JSON body for the rest.
// Format: docs/formats/log.md. Covered by log/record_codec_test.cc.
#pragma once

#include <array>
#include <string>

#include "events/record.h"
#include "log/sqlite.h"

namespace perennial {

/// Where a record goes: its dense ids and its place in the log.
struct RowPlace {
  Offset offset = 0;
  Offset previous = 0;  // the same user's record before; 0 when there is none
  UserId user = kNoId;
  UserId into = kNoId;
  ItemId item = kNoId;
  EventTypeId type = kNoEventType;
};

/// The fields that have no column, as a JSON object; empty when all are at their defaults.
std::string encode_body(const Payload& payload);

/// Sets the fields of `payload`, already of its kind, that the body holds. Unknown fields are passed over.
Status decode_body(std::string_view body, Payload& payload);

/// Inserts so many rows at once, each kRecordColumns (log/log_schema.h): most of a row's cost is not the row's.
std::string insert_rows_sql(int rows);

/// Binds the columns of a row of these, from 0. `record`, `message` and `body` must outlive the statement's run.
void bind_record(Statement& insert, int row, const RowPlace& place, const Record& record, std::string_view message,
                 std::string_view body);

/// The record in the statement's current row, selected as kRecordColumns, into a new one. data_loss for a row that is
/// not one of ours.
Status read_record(const Statement& row, StoredRecord& record);

/// 16 bytes, in the order of the id's hex digits.
using MessageBytes = std::array<char, 16>;
MessageBytes message_bytes(const MessageId& id);

/// Zero when the bytes are not 16.
MessageId message_of_bytes(std::string_view bytes);

}  // namespace perennial
