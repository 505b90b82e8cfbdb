@extends('layout')
@section('title', 'Neu')
@section('content')
<form id="recipe" method="post" action="{{ url('/recipes') }}" enctype="multipart/form-data">@csrf
<input name="title" value="{{ old('title') }}">
<textarea name="text">{{ old('text') }}</textarea>
<input type="file" name="picture">
</form>
@endsection
