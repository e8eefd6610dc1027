// What the files of the layer driver share.
#pragma once

#include "layer.h"

namespace bisr {

struct Layer::Columns {
    int x, count;
    int kx_begin, kx_end;
};

struct Layer::Scratch {
    unsigned char* rows; // ring of packed input rows
    std::size_t row_bytes;
    int ring;
    unsigned char* packed; // one input row at rest, for kernels that expand it
    std::int32_t* sums;    // [bases][kMaxSpan][padded]
    std::int32_t* start;   // [padded]
};

} // namespace bisr
