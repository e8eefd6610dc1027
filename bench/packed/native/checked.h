// Arrays from Python, and what is asked of them before anything reads them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bisr {

template <typename T, int kDims>
using Array = nanobind::ndarray<T, nanobind::ndim<kDims>, nanobind::c_contig, nanobind::device::cpu>;
using Vector = Array<const float, 1>;
using MaybeVector = std::optional<Vector>;

inline void require(bool holds, const std::string& message) {
    if (!holds) {
        throw std::invalid_argument(message);
    }
}

template <typename AnyArray>
void require_shape(const AnyArray& array, const std::vector<std::size_t>& expected, const char* name) {
    std::string got, wanted;
    bool same = array.ndim() == expected.size();
    for (std::size_t d = 0; same && d < expected.size(); ++d) {
        got += (d > 0 ? ", " : "") + std::to_string(array.shape(d));
        wanted += (d > 0 ? ", " : "") + std::to_string(expected[d]);
    }
    for (std::size_t d = 0; same && d < expected.size(); ++d) {
        same = array.shape(d) == expected[d];
    }
    require(same, std::string(name) + ": got shape (" + got + "), expected (" + wanted + ")");
}

inline std::vector<float> copied(const MaybeVector& values, int size, const char* name) {
    if (!values) {
        return {};
    }
    require_shape(*values, {static_cast<std::size_t>(size)}, name);
    return {values->data(), values->data() + size};
}

} // namespace bisr
