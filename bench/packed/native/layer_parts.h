// What the files of the layer driver share.
#pragma once

#include "layer.h"

namespace bisr {

struct Layer::Columns {
    int x, count;
    int kx_begin, kx_end;
};

// Neighbouring pixels of one output row. Pointers into images are those of the stretch's first pixel.
struct Layer::Stretch {
    const unsigned char* rows[kMaxKernel]; // packed input rows, one a kernel row; null outside the image
    int origin;                            // image column of their first pixel
    const Columns* columns;                // the first begins at the stretch's first pixel
    int spans;
    const float* skip = nullptr;
    const float* scale_map = nullptr;
    float* out = nullptr;
    std::int32_t* sums = nullptr; // in place of `out`
    std::size_t sums_plane = 0;   // between bases
    bool far = false;             // `skip` and `out` are not in a near cache
    const Layer* next = nullptr;  // reads `out`,
    unsigned char* packed = nullptr; // at rest here

    // Everything but the input, from images; `pixel` of `pixels_total` is the first.
    void aim(const Layer& layer, const Result& result, std::size_t pixel, std::size_t pixels_total);
};

struct Layer::Scratch {
    unsigned char* rows; // ring of packed input rows
    std::size_t row_bytes;
    int ring;
    unsigned char* packed; // one input row at rest, for kernels that expand it
    std::int32_t* sums;    // sum_count()
};

} // namespace bisr
