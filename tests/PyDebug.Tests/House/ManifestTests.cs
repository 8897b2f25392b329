using System;
using System.Reflection;
using Xunit;

namespace PyDebug.Tests;

public sealed class ManifestTests
{
    [Fact]
    public void The_assembly_carries_the_version_of_the_manifest()
    {
        Version? engine = Assembly.Load("PyDebug.Engine").GetName().Version;
        Version? module = Assembly.Load("PyDebug").GetName().Version;

        Assert.Equal(module, engine);
        Assert.NotEqual(new Version(1, 0, 0, 0), module);
    }
}
