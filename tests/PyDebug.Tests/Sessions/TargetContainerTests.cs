using System.Text.Json.Nodes;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class TargetContainerTests
{
    private static readonly PodTarget s_target = new("shop", "web-0", null, null);

    [Fact]
    public void The_only_one_is_meant()
        => Assert.Equal("a", TargetContainer.Pick(Pod("""[{"name":"a"}]"""), null, s_target).Name);

    [Fact]
    public void Of_several_one_is_named()
    {
        PodInfo pod = Pod("""[{"name":"a"},{"name":"b"}]""");

        PyDebugException failure = Assert.Throws<PyDebugException>(() => TargetContainer.Pick(pod, null, s_target));
        Assert.Equal(ErrorId.ContainerAmbiguous, failure.ErrorRecord.FullyQualifiedErrorId);
        Assert.Equal("b", TargetContainer.Pick(pod, "b", s_target).Name);
    }

    private static PodInfo Pod(string containers)
        => PodParser.Parse(new JsonObject
        {
            ["spec"] = new JsonObject { ["containers"] = JsonNode.Parse(containers) },
        });
}
