using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class AmountsTests
{
    [Theory]
    [InlineData(null, "")]
    [InlineData(1000.0, "1000 B")]
    [InlineData(20_480.0, "20.0 KiB")]
    [InlineData(1_048_524.0, "1023.9 KiB")]
    [InlineData(40_055_603.0, "38.2 MiB")]
    [InlineData(6_442_450_944.0, "6.00 GiB")]
    public void Memory_is_told_in_powers_of_1024(double? amount, string expected)
        => Assert.Equal(expected, Amounts.Bytes(amount));
}
