using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Api;
using Xunit;

namespace PyDebug.Tests.Sandbox;

/// <summary>The sandbox refuses ephemeral containers in the API server's words.</summary>
public sealed class EphemeralValidationTests
{
    [Theory]
    [InlineData("""[{"name":"d","image":"i","targetContainerName":"nope"}]""",
        "spec.ephemeralContainers[0].targetContainerName: Not found: \"nope\"")]
    [InlineData("""[{"name":"app","image":"i"}]""", "spec.ephemeralContainers[0].name: Duplicate value: \"app\"")]
    [InlineData("""[{"name":"d","image":"i"},{"name":"d","image":"i"}]""",
        "spec.ephemeralContainers[1].name: Duplicate value: \"d\"")]
    [InlineData("""[{"name":"d","image":"i","ports":[{"containerPort":1}]}]""",
        "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container")]
    [InlineData("""[{"name":"d","image":"i","livenessProbe":{"exec":{}}}]""",
        "spec.ephemeralContainers[0].livenessProbe: Forbidden: cannot be set for an Ephemeral Container")]
    [InlineData("""[{"name":"d","image":"i","resources":{"limits":{"memory":"1Mi"}}}]""",
        "spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container")]
    [InlineData("""[{"name":"d"}]""", "spec.ephemeralContainers[0].image: Required value")]
    [InlineData("""[{"name":"d","image":"i","imagePullPolicy":"Often"}]""",
        "spec.ephemeralContainers[0].imagePullPolicy: Unsupported value: \"Often\": supported values: \"Always\", "
        + "\"IfNotPresent\", \"Never\"")]
    [InlineData("""[{"name":"d","image":"i","volumeMounts":[{"name":"v","mountPath":"/v"}]}]""",
        "spec.ephemeralContainers[0].volumeMounts[0].name: Not found: \"v\"")]
    public void WrongEntriesAreNamedByField(string entries, string expected)
    {
        IReadOnlyList<FieldError> errors = PodValidation.ValidateEphemeral(Pods.With(entries), Pods.Stored());
        Assert.Equal([expected], errors.Select(error => error.ToString()));
    }

    [Fact]
    public void EmptyResourcesAreAllowed()
    {
        JsonObject pod = Pods.With(
            """[{"name":"d","image":"i","targetContainerName":"app","resources":{},"stdin":true}]""");
        Assert.Empty(PodValidation.ValidateEphemeral(pod, Pods.Stored()));
    }

    [Fact]
    public void ExistingEntriesMayNotBeRemoved()
    {
        FieldError error = Assert.Single(
            PodValidation.ValidateEphemeral(Pods.Stored(), Pods.With("""[{"name":"d","image":"i"}]""")));
        Assert.StartsWith("spec.ephemeralContainers: Forbidden: existing ephemeral containers \"d\" may not be removed",
            error.ToString());
    }

    [Fact]
    public void ExistingEntriesMayNotBeChanged()
    {
        FieldError error = Assert.Single(PodValidation.ValidateEphemeral(
            Pods.With("""[{"name":"d","image":"other"}]"""), Pods.With("""[{"name":"d","image":"i"}]""")));
        Assert.StartsWith("spec.ephemeralContainers: Forbidden: existing ephemeral containers \"d\" may not be changed",
            error.ToString());
    }

    [Fact]
    public void StaticPodsHaveNone()
    {
        JsonObject old = Pods.Stored();
        old["metadata"]!["annotations"] = new JsonObject { ["kubernetes.io/config.mirror"] = "x" };
        FieldError error = Assert.Single(
            PodValidation.ValidateEphemeral(Pods.With("""[{"name":"d","image":"i"}]"""), old));
        Assert.Contains("static pods do not support ephemeral containers", error.Body);
    }

    [Fact]
    public void TheStatusNamesEveryCause()
    {
        IReadOnlyList<FieldError> errors = PodValidation.ValidateEphemeral(
            Pods.With("""[{"name":"d","targetContainerName":"x"}]"""), Pods.Stored());
        JsonObject status = ApiException.Invalid("Pod", "web", errors).ToStatus();
        Assert.Equal(422, (int)status["code"]!);
        Assert.StartsWith(
            "Pod \"web\" is invalid: [spec.ephemeralContainers[0].image: Required value, ", (string)status["message"]!);
        Assert.Equal(2, status["details"]!["causes"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("stdin", "\"yes\"", "json: cannot unmarshal string into Go struct field "
        + "EphemeralContainer.spec.ephemeralContainers.stdin of type bool")]
    [InlineData("command", "[1]", "json: cannot unmarshal number into Go struct field "
        + "EphemeralContainer.spec.ephemeralContainers.command of type string")]
    public void ValuesOfAnotherTypeAreRefusedAsTheDecoderDoes(string field, string value, string expected)
    {
        JsonObject pod = Pods.With($$"""[{"name":"d","image":"i","{{field}}":{{value}}}]""");
        ApiException failure = Assert.Throws<ApiException>(() => FieldTypes.Check(pod));
        Assert.Equal("Pod in version \"v1\" cannot be handled as a Pod: " + expected, failure.Message);
        Assert.Equal(400, failure.Code);
    }

    [Fact]
    public void AStrategicMergePatchOfAnotherTypeIsInvalid()
    {
        JsonObject pod = Pods.With("""[{"name":"d","image":"i","stdin":"yes"}]""");
        ApiException failure = Assert.Throws<ApiException>(() => FieldTypes.Check(pod, strategic: true));
        Assert.Equal(422, failure.Code);
        Assert.EndsWith("unrecognized type: bool", failure.Message);
    }

    [Fact]
    public void APatchBoundToAnotherUidIsInvalid()
    {
        ApiException failure = Assert.Throws<ApiException>(
            () => MetadataValidation.Check(Pods.Stored(), Pods.Stored(), patched: true));
        Assert.Equal(422, failure.Code);
        Assert.EndsWith("field is immutable", failure.Message);
    }

    [Fact]
    public void AnUpdateBoundToAnotherUidIsAConflict()
    {
        JsonObject old = Pods.Stored();
        JsonObject changed = Pods.Stored();
        ApiException failure = Assert.Throws<ApiException>(
            () => MetadataValidation.Check(old, changed, patched: false));
        Assert.Equal(409, failure.Code);
        Assert.Contains("UID in precondition", failure.Message);
    }

    [Fact]
    public void AChangeOfAnOlderVersionIsAConflict()
    {
        JsonObject old = Pods.Stored();
        JsonObject changed = (JsonObject)old.DeepClone();
        changed["metadata"]!["resourceVersion"] = "6";
        Assert.Contains("the object has been modified",
            Assert.Throws<ApiException>(() => MetadataValidation.Check(old, changed, patched: false)).Message);
    }
}
