#include "server/inflate.h"

#include <zlib.h>

#include <algorithm>

namespace perennial {
namespace {

class Inflater {
 public:
  Inflater() : ready_(inflateInit2(&stream_, 15 + 16) == Z_OK) {}
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  [[nodiscard]] bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_;
};

}  // namespace

Result<std::string> inflate_gzip(std::string_view bytes, size_t limit_bytes) {
  Inflater inflater;
  if (!inflater.ready()) return internal_error("zlib could not start to inflate");
  z_stream& stream = inflater.stream();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  char buffer[1 << 14];
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    const int code = inflate(&stream, Z_NO_FLUSH);
    const size_t got = sizeof buffer - stream.avail_out;
    if (out.size() + got > limit_bytes) {
      return resource_exhausted("the inflated body is over the limit of {} bytes", limit_bytes);
    }
    out.append(buffer, got);
    if (code == Z_STREAM_END && stream.avail_in == 0) return out;
    if (code == Z_STREAM_END) return invalid_argument("the body has {} bytes after its gzip stream", stream.avail_in);
    if (code != Z_OK)
      return invalid_argument("the body is not a whole gzip stream: {}", stream.msg ? stream.msg : "cut short");
  }
}

}  // namespace perennial
