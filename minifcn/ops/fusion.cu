// The larger of two streams: each thread does its own elements.

// y = max(a, b); not a number wins over any.
template <typename T>
__global__ void maximum(const T* a, const T* b, T* y, Index n) {
    FOR_EACH(i, n) y[i] = a[i] > b[i] || a[i] != a[i] ? a[i] : b[i];
}

// The gradient goes to the larger one, half of it to each of equals; nowhere where one
// of them is no number.
template <typename T>
__global__ void maximum_backward(const T* a, const T* b, const T* gy, T* ga, T* gb,
                                 Index n) {
    FOR_EACH(i, n) {
        T half = a[i] == b[i] ? gy[i] / 2 : T(0);
        ga[i] = a[i] > b[i] ? gy[i] : half;
        gb[i] = b[i] > a[i] ? gy[i] : half;
    }
}
