namespace PyDebug.Heap;

/// <summary>How fast memory grows.</summary>
/// <param name="BytesPerSecond">The slope by least squares.</param>
/// <param name="Margin">Half of the interval that holds it in 95 of 100 cases.</param>
internal sealed record MemoryRate(double BytesPerSecond, double Margin);
