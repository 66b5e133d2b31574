// The larger of two streams: each thread does its own elements.

// y = max(a, b); not a number wins over any.
template <typename T>
__global__ void maximum(const T* a, const T* b, T* y, Index n) {
    FOR_EACH(i, n) {
        T one = a[i], other = b[i];
        y[i] = one > other || one != one ? one : other;
    }
}

// The gradient goes to the larger one, half of it to each of equals; nowhere where one
// of them is no number.
template <typename T>
__global__ void maximum_backward(const T* a, const T* b, const T* gy, T* ga, T* gb,
                                 Index n) {
    FOR_EACH(i, n) {
        T one = a[i], other = b[i], g = gy[i], half = one == other ? g / 2 : T(0);
        ga[i] = one > other ? g : half;
        gb[i] = other > one ? g : half;
    }
}
