using System.Text.Json.Nodes;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Json;
using Xunit;

namespace PyDebug.Tests.Sandbox;

/// <summary>The sandbox applies the three kinds of patch as the API server does.</summary>
public sealed class PatchTests
{
    [Fact]
    public void StrategicMergeAddsToAListByName()
    {
        JsonObject pod = Pods.With("""[{"name":"a","image":"i"}]""");
        StrategicMerge.Apply(pod, Pods.Parse("""
            {"spec":{"$setElementOrder/ephemeralContainers":[{"name":"a"},{"name":"b"}],
             "ephemeralContainers":[{"name":"b","image":"j","env":[{"name":"X","value":"1"}]}]}}
            """));
        JsonArray entries = pod["spec"]!["ephemeralContainers"]!.AsArray();
        Assert.Equal(["a", "b"], [(string?)entries[0]!["name"], (string?)entries[1]!["name"]]);
        Assert.Equal("1", (string?)entries[1]!["env"]![0]!["value"]);
        Assert.DoesNotContain("$", pod.ToJsonString());
    }

    [Fact]
    public void StrategicMergePutsWhatIsNewFirstWhereNoOrderIsGiven()
    {
        JsonObject pod = Pods.With("""[{"name":"a"}]""");
        StrategicMerge.Apply(pod, Pods.Parse("""{"spec":{"ephemeralContainers":[{"name":"b"},{"name":"c"}]}}"""));
        Assert.Equal(
            """[{"name":"b"},{"name":"c"},{"name":"a"}]""", pod["spec"]!["ephemeralContainers"]!.ToJsonString());
    }

    [Fact]
    public void StrategicMergeChangesAnEntryOfTheSameName()
    {
        JsonObject pod = Pods.With("""[{"name":"a","image":"i","tty":true}]""");
        StrategicMerge.Apply(pod, Pods.Parse("""{"spec":{"ephemeralContainers":[{"name":"a","image":"j"}]}}"""));
        Assert.Equal("""[{"name":"a","image":"j","tty":true}]""", pod["spec"]!["ephemeralContainers"]!.ToJsonString());
    }

    [Theory]
    [InlineData("""{"spec":{"ephemeralContainers":[{"name":"a","$patch":"delete"}]}}""", "[]")]
    [InlineData("""{"spec":{"ephemeralContainers":[{"$patch":"replace"},{"name":"b"}]}}""", """[{"name":"b"}]""")]
    public void StrategicMergeKnowsItsDirectives(string patch, string expected)
    {
        JsonObject pod = Pods.With("""[{"name":"a","image":"i"}]""");
        StrategicMerge.Apply(pod, Pods.Parse(patch));
        Assert.Equal(expected, pod["spec"]!["ephemeralContainers"]!.ToJsonString());
    }

    [Fact]
    public void StrategicMergeRemovesWhatIsNull()
    {
        JsonObject pod = Pods.Stored();
        pod["metadata"]!["labels"] = Pods.Parse("""{"a":"1","b":"2"}""");
        StrategicMerge.Apply(pod, Pods.Parse("""{"metadata":{"labels":{"a":null,"c":"3"}}}"""));
        Assert.Equal("""{"b":"2","c":"3"}""", pod["metadata"]!["labels"]!.ToJsonString());
    }

    [Fact]
    public void MergePatchReplacesWholeLists()
    {
        JsonObject pod = Pods.With("""[{"name":"a","image":"i"}]""");
        Patch.Merge(pod, Pods.Parse("""{"spec":{"ephemeralContainers":[{"name":"b"}]}}"""));
        Assert.Equal("""[{"name":"b"}]""", pod["spec"]!["ephemeralContainers"]!.ToJsonString());
    }

    [Fact]
    public void JsonPatchAppendsWhereTheListIs()
    {
        JsonObject pod = Pods.With("""[{"name":"a"}]""");
        JsonPatch.Apply(pod, JsonNode.Parse(
            """[{"op":"add","path":"/spec/ephemeralContainers/-","value":{"name":"b"}}]""").Items());
        Assert.Equal("""[{"name":"a"},{"name":"b"}]""", pod["spec"]!["ephemeralContainers"]!.ToJsonString());
    }

    [Theory]
    [InlineData("""[{"op":"add","path":"/spec/ephemeralContainers/-","value":{}}]""")]
    [InlineData("""[{"op":"remove","path":"/spec/nothing"}]""")]
    [InlineData("""[{"op":"test","path":"/metadata/name","value":"other"}]""")]
    [InlineData("""[{"op":"add","path":"/spec/containers/9","value":{}}]""")]
    [InlineData("""[{"op":"jump","path":"/spec"}]""")]
    public void JsonPatchThatDoesNotFitIsRefused(string patch) =>
        Assert.Equal(422, Assert.Throws<ApiException>(
            () => JsonPatch.Apply(Pods.Stored(), JsonNode.Parse(patch).Items())).Code);
}
