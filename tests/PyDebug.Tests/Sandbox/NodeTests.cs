using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Node;
using Xunit;

namespace PyDebug.Tests.Sandbox;

/// <summary>What the sandbox's node reads from a pod.</summary>
public sealed class NodeTests
{
    private static readonly Image s_image = new(
        "pydebug.test/x:1", "sha256:0", "/nonexistent", ["/entry"], ["default"], ["A=1", "PATH=/image"], "", "/srv");

    [Theory]
    [InlineData("128Mi", "134217728")]
    [InlineData("1.5Gi", "1610612736")]
    [InlineData("250m", "0.250")]
    [InlineData("2", "2")]
    [InlineData("1e3", "1000")]
    public void QuantitiesAreRead(string text, string expected) =>
        Assert.Equal(decimal.Parse(expected, System.Globalization.CultureInfo.InvariantCulture), Quantity.Parse(text));

    [Theory]
    [InlineData("""{}""", "/entry default")]
    [InlineData("""{"args":["x"]}""", "/entry x")]
    [InlineData("""{"command":["sh"]}""", "sh")]
    [InlineData("""{"command":["sh"],"args":["$(A)","$$(A)","$(NONE)"]}""", "sh 1 $(A) $(NONE)")]
    public void CommandAndArgumentsReplaceTheImages(string container, string expected) =>
        Assert.Equal(expected, string.Join(' ', EnvironmentBuilder.Command(
            Pods.Parse(container), s_image, EnvironmentBuilder.Build(Pods.Stored(), Pods.Parse(container), s_image))));

    [Fact]
    public void TheEnvironmentIsTheImagesThenThePods()
    {
        JsonObject container = Pods.Parse("""
            {"env":[{"name":"B","value":"<$(A)>"},{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
             {"name":"A","value":"2"}]}
            """);
        Assert.Equal(["PATH=/image", "A=2", "HOSTNAME=web", "B=<1>", "N=web"],
            EnvironmentBuilder.Build(Pods.Stored(), container, s_image));
    }

    [Fact]
    public void AMissingConfigMapIsAConfigError()
    {
        JsonObject container = Pods.Parse("""
            {"env":[{"name":"B","valueFrom":{"configMapKeyRef":{"name":"settings","key":"b"}}}]}
            """);
        ContainerFailure failure = Assert.Throws<ContainerFailure>(
            () => EnvironmentBuilder.Build(Pods.Stored(), container, s_image));
        Assert.Equal("CreateContainerConfigError", failure.Reason);
        Assert.Equal("configmap \"settings\" not found", failure.Message);
    }

    [Theory]
    [InlineData("", "container has runAsNonRoot and image will run as root (pod: \"web_default(")]
    [InlineData("app",
        "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root")]
    public void RunAsNonRootIsVerifiedInTheKubeletsWords(string user, string expected)
    {
        JsonObject pod = Pods.Stored();
        pod["spec"]!["securityContext"] = Pods.Parse("""{"runAsNonRoot":true}""");
        JsonObject container = (JsonObject)pod["spec"]!["containers"]![0]!;
        ContainerFailure failure = Assert.Throws<ContainerFailure>(
            () => SecuritySettings.Resolve(pod, container, s_image with { User = user }));
        Assert.Equal("CreateContainerConfigError", failure.Reason);
        Assert.StartsWith(expected, failure.Message);
    }

    [Fact]
    public void CapabilitiesAreTheRuntimesPlusAndMinus()
    {
        Assert.Equal(14, Capabilities.Resolve([], [], false).Count(name => name != "SYS_RESOURCE"));
        Assert.Empty(Capabilities.Resolve([], ["ALL"], false));
        Assert.Equal(["SYS_PTRACE"], Capabilities.Resolve(["CAP_SYS_PTRACE"], ["ALL"], false));
        Assert.DoesNotContain("KILL", Capabilities.Resolve([], ["KILL"], false));
    }

    [Theory]
    [InlineData("pydebug.test/app:1", null)]
    [InlineData("localhost:5000/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", null)]
    [InlineData("Upper/Case:1", "must be lowercase")]
    [InlineData("two words", "invalid reference format")]
    public void ImageNamesAreChecked(string name, string? complaint)
    {
        string? actual = ImageStore.Complaint(name);
        if (complaint is null)
        {
            Assert.Null(actual);
        }
        else
        {
            Assert.StartsWith($"Failed to apply default image tag \"{name}\": couldn't parse image name", actual);
            Assert.Contains(complaint, actual);
        }
    }

    [Theory]
    [InlineData("a=1,b!=2", true)]
    [InlineData("a in (0, 1)", true)]
    [InlineData("a notin (1)", false)]
    [InlineData("!c", true)]
    [InlineData("c", false)]
    public void LabelSelectorsMatch(string selector, bool expected)
    {
        JsonObject pod = Pods.Stored();
        pod["metadata"]!["labels"] = Pods.Parse("""{"a":"1","b":"1"}""");
        Assert.Equal(expected, new Selectors(selector, null).Match(pod));
    }

    [Theory]
    [InlineData("metadata.name=web,status.phase=Pending", true)]
    [InlineData("metadata.name!=web", false)]
    public void FieldSelectorsMatch(string selector, bool expected) =>
        Assert.Equal(expected, new Selectors(null, selector).Match(Pods.Stored()));
}
