#include "log/sqlite_log.h"

#include "log/sqlite_reader.h"
#include "log/sqlite_writer.h"

namespace perennial {

Result<std::unique_ptr<LogWriter>> open_log(const fs::path& data_folder, const SqliteLogOptions& options) {
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<SqliteWriter> writer, SqliteWriter::open(data_folder, options));
  return std::unique_ptr<LogWriter>(std::move(writer));
}

Result<std::unique_ptr<LogReader>> open_log_for_reading(const fs::path& data_folder) {
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<SqliteReader> reader, SqliteReader::open(data_folder));
  return std::unique_ptr<LogReader>(std::move(reader));
}

}  // namespace perennial
