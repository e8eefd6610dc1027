// Layers of one spatial size, one after another, computed row by row through several of them at once: what a layer wrote
// is read again while it is in the second-level cache.
#pragma once

#include "caches.h"
#include "layer.h"

#include <algorithm>
#include <vector>

namespace bisr {

// Tensors of a chain: 0 is its input, i + 1 what step i gives.
struct ChainStep {
    const Layer* layer;
    int input;    // tensor that is convolved
    int shortcut; // tensor that is added, or -1
};

struct ImageSize {
    int n, h, w;
};

class Chain;

// How a chain runs on images of one size.
struct ChainPlan {
    std::vector<int> ends;      // groups of steps, each advancing row by row: where they end
    int strip;                  // output columns that are computed at a time
    int bands;                  // bands of rows, for threads
    std::size_t worker_bytes;   // scratch of one thread
    std::size_t between_floats; // of the largest tensor between groups
    ImageSize size;             // what it was made for
    int threads;
    const Chain* chain;

    // Of the whole tensors between groups.
    std::size_t between_bytes() const { return std::min<std::size_t>(ends.size() - 1, 2) * between_floats * sizeof(float); }
};

// What a caller may decide instead of the caches; 0: not decided. A group has at most `group` steps, but as many as
// it takes to reach a tensor that alone is read from there on.
struct ChainWish {
    int group, strip, bands;
};

class Chain {
  public:
    // Throws std::invalid_argument when the steps do not fit each other.
    explicit Chain(std::vector<ChainStep> steps);
    ChainPlan plan(const ImageSize& size, int threads, const ChainWish& wish, const Caches& caches) const;
    // x [n][h][w][channels] -> out. Throws std::bad_alloc when there is no memory for `plan`, before anything is written.
    void run(const float* x, float* out, const ImageSize& size, const ChainPlan& plan, int threads) const;
    const std::vector<ChainStep>& steps() const { return steps_; }

  private:
    std::vector<ChainStep> steps_;
    std::vector<int> cuts_; // steps after which only their own output is read on
};

} // namespace bisr
