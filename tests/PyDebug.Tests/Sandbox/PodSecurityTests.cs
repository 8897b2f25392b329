using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Admission;
using PyDebug.Sandbox.Api;
using Xunit;

namespace PyDebug.Tests.Sandbox;

/// <summary>The sandbox judges pods by the Pod Security Standards, in the words of the API server.</summary>
public sealed class PodSecurityTests
{
    private const string Restricted = """
        {"allowPrivilegeEscalation":false,"runAsNonRoot":true,"runAsUser":1000,"capabilities":{"drop":["ALL"]},
         "seccompProfile":{"type":"RuntimeDefault"}}
        """;

    [Theory]
    [InlineData("baseline", """{"capabilities":{"add":["SYS_PTRACE"]}}""",
        "non-default capabilities (container \"d\" must not include \"SYS_PTRACE\" in "
        + "securityContext.capabilities.add)")]
    [InlineData("baseline", """{"privileged":true}""",
        "privileged (container \"d\" must not set securityContext.privileged=true)")]
    [InlineData("baseline", """{"seccompProfile":{"type":"Unconfined"}}""",
        "seccompProfile (container \"d\" must not set securityContext.seccompProfile.type to \"Unconfined\")")]
    [InlineData("baseline", "{}", "")]
    [InlineData("privileged", """{"privileged":true}""", "")]
    [InlineData("restricted", Restricted, "")]
    [InlineData("restricted", """{"capabilities":{"add":["SYS_PTRACE"]}}""",
        "allowPrivilegeEscalation != false (container \"d\" must set securityContext.allowPrivilegeEscalation=false), "
        + "unrestricted capabilities (container \"d\" must set securityContext.capabilities.drop=[\"ALL\"]; container "
        + "\"d\" must not include \"SYS_PTRACE\" in securityContext.capabilities.add), "
        + "runAsNonRoot != true (pod or container \"d\" must set securityContext.runAsNonRoot=true), "
        + "seccompProfile (pod or container \"d\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" "
        + "or \"Localhost\")")]
    public void ADebugContainerIsJudgedWithItsPod(string level, string security, string expected)
    {
        JsonObject pod = Pods.With($$"""[{"name":"d","image":"i","securityContext":{{security}}}]""");
        pod["spec"]!["containers"]![0]!["securityContext"] = JsonNode.Parse(Restricted);
        Assert.Equal(expected, string.Join(", ", PodSecurityChecks.Run(level, pod)));
    }

    [Fact]
    public void SeveralContainersAreNamedInOneSentence()
    {
        JsonObject pod = Pods.With("""[{"name":"d","image":"i"}]""");
        Assert.Contains("containers \"app\", \"d\" must set securityContext.allowPrivilegeEscalation=false",
            PodSecurityChecks.Run("restricted", pod).First());
    }

    [Fact]
    public void HostPathsAndHostNamespacesAreNoBaseline()
    {
        JsonObject pod = Pods.Stored();
        pod["spec"]!["hostPID"] = true;
        pod["spec"]!["volumes"] = JsonNode.Parse("""[{"name":"root","hostPath":{"path":"/"}}]""");
        Assert.Equal(["host namespaces (hostPID=true)", "hostPath volumes (volume \"root\")"],
            PodSecurityChecks.Run("baseline", pod));
    }
}
