// Some steps of a chain, and the memory in which they advance together.
#pragma once

#include "chain.h"
#include "layer_parts.h"

namespace bisr {

// Pixels beyond those that are wanted of a group's output.
struct Reach {
    int rows, columns;
};

struct Part {
    int n;
    int y0, y1, x0, x1; // of the group's output
};

class ChainGroup {
  public:
    // steps [begin, end) of a chain, which read nothing before tensor `begin`
    ChainGroup(const std::vector<ChainStep>& steps, int begin, int end);

    // Scratch for strips of so many columns.
    std::size_t bytes(int w, int strip) const;
    std::size_t weight_bytes() const;
    // Work over what it would be without columns and rows that neighbouring parts compute too.
    double overlap(const ImageSize& size, int strip, int bands) const;
    void run(const float* x, float* out, const ImageSize& size, int strip, const Part& part,
             unsigned char* memory) const;
    int out_channels() const { return tensors_.back().channels; }

  private:
    struct Tensor {
        int channels;
        int delay; // rows that its newest row lies behind the newest of the group's input
        Reach reach;
        int kept;                 // rows of floats
        std::vector<int> readers; // stages that convolve it
    };
    struct Stage {
        const Layer* layer;
        int input, shortcut; // tensors; the output is the one after the stage's own number
        int ring;            // packed input rows
    };
    // Where in the scratch a stage's input rows and its output's floats lie.
    struct Place {
        std::size_t rows, row_bytes, words, floats, row_floats;
    };
    struct Range {
        int begin, end;
        int size() const { return end - begin; }
    };
    class Walk; // over one part

    std::vector<Place> places(int w, int strip, std::size_t* total) const;

    std::vector<Stage> stages_;
    std::vector<Tensor> tensors_; // 0 is the group's input
};

} // namespace bisr
