// What a convolution's numbers meet on their way to memory: bias, ReLU and dropout.

// y = dropout(relu(total + bias)), for a piece of y.
//
// Products give total[o, n, p]: P pixels of each image n of the piece, for each of its O
// channels. In y the piece begins at number `first`; its channels lie `channel` numbers
// apart, its images `image`. Dropout draws by the place in y, as `dropout` would.
template <typename T>
__global__ void epilogue(const T* total, const T* bias, T* y, Index size, Index O,
                         Index P, Index first, Index image, Index channel, bool relu,
                         double p, unsigned long long key) {
    Index N = size / (O * P);  // images of the piece
    FOR_EACH(i, size) {        // in the order of y: n, o, pixel
        Index pixel = i % P, o = i / P % O, n = i / P / O;
        Index at = first + n * image + o * channel + pixel;
        T value = total[(o * N + n) * P + pixel] + bias[o];
        if (relu && value <= 0) value = 0;  // not a number stays so
        if (p > 0) value = drawn(key + at) < p ? T(0) : value * T(1 / (1 - p));
        y[at] = value;
    }
}
