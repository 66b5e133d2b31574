// What a convolution's numbers meet on their way to memory: bias, ReLU and dropout.

// y = dropout(relu(total + bias)), for a piece of y.
//
// Products give total[o, n, p]: P pixels of each image n of the piece, for each of its O
// channels. In y the piece begins at number `first`; its channels lie `channel` numbers
// apart, its images `image`. Dropout draws by the place in y, as `dropout` would; there
// is none where `limit` is 0.
template <typename T>
__global__ void epilogue(const T* total, const T* bias, T* y, Index N, Index O, Index P,
                         Index first, Index image, Index channel, bool relu, T scale,
                         unsigned long long limit, unsigned long long key) {
    FOR_EACH(i, N * O * P) {  // in the order of y: n, o, pixel
        Index pixel = i % P, o = i / P % O, n = i / P / O;
        Index at = first + n * image + o * channel + pixel;
        T value = total[(o * N + n) * P + pixel] + bias[o];
        if (relu && value <= 0) value = 0;  // not a number stays so
        if (limit > 0) value = drawn(key + at) < limit ? T(0) : value * scale;
        y[at] = value;
    }
}
