using System;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Json;
using Xunit;

namespace PyDebug.Tests.Sandbox;

/// <summary>The sandbox reads the objects that kubectl sends as Protocol Buffers.</summary>
public sealed class ProtobufTests
{
    [Fact]
    public void AnAccessReviewIsRead()
    {
        byte[] attributes = [0x0a, 4, .. "shop"u8, 0x12, 3, .. "get"u8, 0x2a, 4, .. "pods"u8, 0x32, 4, .. "exec"u8];
        byte[] spec = [0x0a, (byte)attributes.Length, .. attributes];
        byte[] review = [0x0a, 0, 0x12, (byte)spec.Length, .. spec, 0x18, 1];
        JsonObject read = ProtobufBody.Decode(Envelope("SelfSubjectAccessReview", review));
        Assert.Equal("SelfSubjectAccessReview", read.Text("kind"));
        Assert.Equal("""{"namespace":"shop","verb":"get","resource":"pods","subresource":"exec"}""",
            read.Object("spec", "resourceAttributes")!.ToJsonString());
    }

    [Fact]
    public void AKindThatIsNotKnownIsRefused() =>
        Assert.Equal(415, Assert.Throws<ApiException>(() => ProtobufBody.Decode(Envelope("Pod", []))).Code);

    [Theory]
    [InlineData("")]
    [InlineData("6b3873")]
    [InlineData("6b387300ff")]
    [InlineData("6b3873000affffffff0f")]
    public void WhatIsNoMessageIsRefused(string hex) => Assert.Equal(
        415, Assert.Throws<ApiException>(() => ProtobufBody.Decode(Convert.FromHexString(hex))).Code);

    private static byte[] Envelope(string kind, byte[] body)
    {
        byte[] name = System.Text.Encoding.UTF8.GetBytes(kind);
        byte[] type = [0x0a, 2, .. "v1"u8, 0x12, (byte)name.Length, .. name];
        return [.. "k8s\0"u8, 0x0a, (byte)type.Length, .. type, 0x12, (byte)body.Length, .. body];
    }
}
