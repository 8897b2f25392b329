using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Pods of workloads, label selectors and what the pipeline brings.</summary>
public sealed class WorkloadTests : IDisposable
{
    private const string Start = "Start-PodDebug -Namespace shop @server";

    private readonly FakeCluster _cluster = new();
    private readonly FakeFleet _fleet;
    private readonly ModuleShell _shell;

    public WorkloadTests()
    {
        _shell = new(_cluster);
        _fleet = new(_cluster);
        _fleet.AddWorkload("deployments", "backend");
        _fleet.Add("web-1", node: "node-a", age: 3);
        _fleet.Add("web-2", node: "node-b", age: 1);
        _fleet.Add("web-3", node: "node-a", age: 2);
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Theory]
    [InlineData("-Deployment backend", "web-1 web-2 web-3", "")]
    [InlineData("-Deployment backend -First 2", "web-2 web-3", "2 of 3 pods are taken; left out: 1 by -First 2.")]
    [InlineData(
        "-Deployment backend -First 1 -SortBy Oldest", "web-1", "1 of 3 pods is taken; left out: 2 by -First 1.")]
    [InlineData("-Deployment backend -First 2 -SortBy Name", "web-1 web-2", "left out: 1 by -First 2.")]
    [InlineData("-Deployment backend -OnePerNode", "web-2 web-3", "left out: 1 by -OnePerNode.")]
    [InlineData("-Deployment backend -OnePerNode -First 1", "web-2", "left out: 2 by -OnePerNode and -First 1.")]
    [InlineData("-LabelSelector app=backend", "web-1 web-2 web-3", "")]
    [InlineData("-PodName deployment/backend, pod/web-1", "web-1 web-1 web-2 web-3", "")]
    public async Task The_pods_of_a_workload_are_started_and_what_is_left_out_is_said(
        string which, string expected, string warning)
    {
        IReadOnlyList<PSObject> sessions = await _shell.RunAsync($"{Start} {which}");

        Assert.Empty(_shell.Errors);
        Assert.Equal(expected, Names(sessions));
        Assert.Equal(warning.Length == 0 ? 0 : 1, _shell.Warnings.Count);
        Assert.All(_shell.Warnings, w => Assert.Contains(warning, w));
        Assert.All(
            _cluster.Requests.Where(r => r.Path.EndsWith("/pods")),
            r => Assert.Equal("app=backend", r.Query["labelSelector"]));
    }

    [Theory]
    [InlineData(2, "web-1 web-2 web-3 web-4 web-5", "")]
    [InlineData(3, "", "RequestFailed")]
    public async Task A_list_whose_token_has_expired_is_begun_anew_twice(int times, string expected, string error)
    {
        _fleet.Add("web-4");
        _fleet.Add("web-5");
        int expired = 0;
        _fleet.Refuse = request => request.Query["continue"] == "4" && expired++ < times
            ? (410, FakeConnection.Status(410, "Expired", "The provided continue parameter is too old."))
            : null;

        IReadOnlyList<PSObject> sessions = await _shell.RunAsync($"{Start} -LabelSelector app=backend");

        Assert.Equal(expected, Names(sessions));
        Assert.Equal(error, string.Join(' ', _shell.Errors.Select(e => e.FullyQualifiedErrorId.Split(',')[0])));
        Assert.Equal(3, _cluster.Requests.Count(r => r.Path.EndsWith("/pods") && r.Query["continue"] is null));
    }

    [Fact]
    public async Task Pods_that_do_not_run_and_those_of_others_are_left_out()
    {
        _fleet.Add("new-1", phase: "Pending");
        _fleet.Add("old-1", phase: "Failed");
        _fleet.Add("going", age: 5)["metadata"]!["deletionTimestamp"] = "2026-11-20T10:00:00Z";
        // The same labels, of another Deployment.
        _fleet.Add("canary-1", hash: "5c1")["metadata"]!["ownerReferences"]![0]!["name"] = "canary-5c1";

        IReadOnlyList<PSObject> sessions = await _shell.RunAsync($"{Start} -Deployment backend");

        Assert.Equal("web-1 web-2 web-3", Names(sessions));
        Assert.Equal(
            "Deployment 'shop/backend': 3 of 6 pods are taken; left out: 1 Failed, 1 Pending, 1 being deleted.",
            Assert.Single(_shell.Warnings));
    }

    [Theory]
    [InlineData("StatefulSet", "statefulsets", "apps")]
    [InlineData("DaemonSet", "daemonsets", "apps")]
    [InlineData("Job", "jobs", "batch")]
    public async Task Other_workloads_have_the_pods_that_they_control(string kind, string plural, string group)
    {
        _fleet.AddWorkload(plural, "mine", group);
        _fleet.Pods["web-2"]["metadata"]!["ownerReferences"]![0]!["uid"] = $"uid-{plural}-mine";

        Assert.Equal("web-2", Names(await _shell.RunAsync($"{Start} -{kind} mine")));
        Assert.Equal("web-2", Names(await _shell.RunAsync($"'{kind.ToLowerInvariant()}.{group}/mine' | {Start}")));
        Assert.Empty(_shell.Errors);
    }

    [Theory]
    [InlineData("'web-1', 'pod/web-2'")]
    [InlineData("'web-1', 'web-2' | ForEach-Object { [pscustomobject]@{ PodName = $_; Namespace = 'shop' } }")]
    [InlineData("\"pod/web-1`npod/web-2`n\"")]
    [InlineData("$list")]
    [InlineData("$list.items")]
    [InlineData("$table")]
    public async Task The_pipeline_brings_names_and_objects(string what)
    {
        JsonObject list = new()
        {
            ["kind"] = "List",
            ["items"] = new JsonArray(_fleet.Pods["web-1"].DeepClone(), _fleet.Pods["web-2"].DeepClone()),
        };
        _shell["list"] = PipedJson.ToObject(list)!;
        _shell["table"] = PipedJson.ToTable(list)!;

        IReadOnlyList<PSObject> sessions = await _shell.RunAsync($"{what} | {Start}");

        Assert.Empty(_shell.Errors);
        Assert.Equal("web-1 web-2", Names(sessions));
    }

    [Fact]
    public async Task Objects_of_workloads_and_a_choice_among_pods_are_taken_from_the_pipeline()
    {
        _shell["list"] = PipedJson.ToObject(JsonNode.Parse(
            """{"kind":"DeploymentList","items":[{"metadata":{"name":"backend","namespace":"shop"}}]}"""))!;
        IReadOnlyList<PSObject> all = await _shell.RunAsync("$list | Start-PodDebug @server");
        Assert.Empty(_shell.Errors);
        Assert.Equal("web-1 web-2 web-3", Names(all));

        _shell["pods"] = PipedJson.ToObject(new JsonArray([.. _fleet.Pods.Values.Select(p => p.DeepClone())]))!;
        IReadOnlyList<PSObject> some = await _shell.RunAsync("$pods | Start-PodDebug @server -First 1");
        Assert.Equal("web-2", Names(some));
        Assert.Contains("1 of 3 pods of the pipeline is taken; left out: 2 by -First 1.", _shell.Warnings);
    }

    [Fact]
    public async Task A_pod_of_an_object_is_that_one_and_not_another_of_its_name()
    {
        _shell["pod"] = PipedJson.ToObject(_fleet.Pods["web-1"])!;
        _fleet.Pods["web-1"]["metadata"]!["uid"] = "another";

        ErrorRecord error = await _shell.FailAsync($"$pod | {Start}");

        Assert.StartsWith("PodReplaced,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_pod_that_fails_is_one_error_whose_target_can_be_started_again()
    {
        _fleet.Pods["web-2"]["status"]![
            "containerStatuses"]![0]!["state"] = new JsonObject { ["waiting"] = new JsonObject() };

        IReadOnlyList<PSObject> sessions = await _shell.RunAsync($"{Start} -Deployment backend -ThrottleLimit 3");

        ErrorRecord error = Assert.Single(_shell.Errors);
        Assert.StartsWith("TargetNotRunning,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal("web-1 web-3", Names(sessions));
        _fleet.Pods["web-2"]["status"]!["containerStatuses"]![0]!["state"] = FakeCluster.Running();
        _shell["failed"] = error.TargetObject;
        Assert.Equal("web-2", Names(await _shell.RunAsync("$failed | Start-PodDebug @server")));
        Assert.Empty(_shell.Errors);
    }

    [Fact]
    public async Task The_target_of_an_error_without_a_container_binds_as_well()
    {
        ErrorRecord missing = await _shell.FailAsync($"{Start} web-9");
        _fleet.Add("web-9");
        _shell["failed"] = missing.TargetObject;

        Assert.Equal("web-9", Names(await _shell.RunAsync("$failed | Start-PodDebug @server")));
        Assert.Empty(_shell.Errors);
    }

    [Theory]
    [InlineData("-Deployment gone", "WorkloadNotFound", "There is no deployment 'gone' in namespace 'shop'")]
    [InlineData(
        "-LabelSelector app=none", "NoPodMatches", "Label selector 'app=none' in namespace 'shop' matches no pod")]
    [InlineData("-Deployment still", "NoRunningPod", "Deployment 'shop/still' has no running pod: of 1 pod, 1 Pending")]
    [InlineData("-Deployment empty", "NoPodMatches", "Deployment 'shop/empty' has no pod")]
    [InlineData("-PodName service/x", "ParameterInvalid", "'service/x' is nothing that has pods")]
    [InlineData("-InputObject 42", "ParameterInvalid", "An object of type Int32 is nothing that has pods")]
    [InlineData("-InputObject ([pscustomobject]@{ kind = 'Service'; metadata = [pscustomobject]@{ name = 'x' } })",
        "ParameterInvalid", "Service 'x' is nothing that has pods")]
    public async Task What_has_no_pod_to_debug_says_so_and_nothing_is_changed(string which, string id, string message)
    {
        _fleet.AddWorkload("deployments", "still");
        _fleet.AddWorkload("deployments", "empty");
        _fleet.Add("still-1", phase: "Pending")["metadata"]!["ownerReferences"]![0]!["name"] = "still-7d9";

        ErrorRecord error = await _shell.FailAsync($"{Start} {which}");

        Assert.StartsWith(id + ",", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains(message, error.Exception.Message);
        Assert.Contains("Nothing was changed.", error.ErrorDetails.RecommendedAction);
        Assert.DoesNotContain(_cluster.Requests, r => r.Method == "PATCH");
    }

    [Theory]
    [InlineData("-Deployment backend", "/deployments/backend", "get", "deployments", "apps", "get on deployments.apps")]
    [InlineData("-LabelSelector a=b", "/pods", "list", "pods", "", "list on pods")]
    public async Task A_missing_permission_is_named_by_verb_and_resource(
        string which, string path, string verb, string resource, string group, string advice)
    {
        _fleet.Refuse = request => request.Path.EndsWith(path)
            ? (403, FakeConnection.Status(
                403,
                "Forbidden",
                $"{resource} is forbidden: User \"u\" cannot {verb} resource \"{resource}\" in API group \"{group}\" "
                + "in the namespace \"shop\""))
            : null;

        ErrorRecord error = await _shell.FailAsync($"{Start} {which}");

        Assert.StartsWith("Forbidden,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.StartsWith(
            $"It takes the verb {advice} in namespace 'shop'.", error.ErrorDetails.RecommendedAction);
    }

    [Fact]
    public async Task A_selector_that_is_none_is_refused_in_the_servers_words()
    {
        _fleet.Refuse = request => request.Path.EndsWith("/pods")
            ? (400, FakeConnection.Status(400, "BadRequest", "unable to parse requirement: found '&'"))
            : null;

        ErrorRecord error = await _shell.FailAsync($"{Start} -LabelSelector 'a&b'");

        Assert.StartsWith("ParameterInvalid,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("unable to parse requirement", error.Exception.Message);
    }

    [Theory]
    [InlineData("-For Stack, Heap", "General")]
    [InlineData("-For Time, Memray", "Trace")]
    public async Task Several_questions_take_the_least_profile_that_serves_all(string questions, string profile)
    {
        IReadOnlyList<PSObject> sessions = await _shell.RunAsync($"{Start} web-1 {questions}");

        Assert.Equal(profile, Assert.IsType<PodDebugSession>(Assert.Single(sessions).BaseObject).Profile);
    }

    [Theory]
    [InlineData("-Namespace ''")]
    [InlineData("-ContainerName ''")]
    [InlineData("-For Stack -SecurityProfile General")]
    [InlineData("-For Memray, bpftrace -Image tools")]
    [InlineData("-Reason \"two`nlines\"")]
    public async Task Parameters_that_cannot_be_end_it_before_anything_is_sent(string parameters)
    {
        PSObject caught = Assert.Single(
            await _shell.RunAsync($"try {{ Start-PodDebug web-1 @server {parameters} }} catch {{ $_ }}"));

        ErrorRecord error = Assert.IsType<ErrorRecord>(caught.BaseObject);
        Assert.StartsWith("ParameterInvalid,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Empty(_cluster.Requests);
    }

    [Fact]
    public async Task Namespace_and_container_have_kubectls_letters()
    {
        IReadOnlyList<PSObject> sessions = await _shell.RunAsync("Start-PodDebug web-1 -n shop -c sidecar @server");

        Assert.Empty(_shell.Errors);
        Assert.Equal("sidecar", Assert.IsType<PodDebugSession>(Assert.Single(sessions).BaseObject).ContainerName);
    }

    private static string Names(IEnumerable<PSObject> sessions)
        => string.Join(
            " ",
            sessions.Select(s => Assert.IsType<PodDebugSession>(s.BaseObject).PodName).Order(StringComparer.Ordinal));
}
